// What may be sent at a time, by the service's settings: told before anything is.
import { inMib } from "./dom.js";

const MIB = 2 ** 20;
const PART_BYTES = 1024; // of a form, around each image

const sizeOf = (items) => items.reduce((sum, item) => sum + item.file.size, 0);

export class Limits {
  // Until the service has told its own.
  #values = { max_images: 64, max_bytes: 32 * MIB, max_request_bytes: 128 * MIB };

  set(values) {
    this.#values = values;
  }

  get images() {
    return this.#values.max_images;
  }

  get words() {
    const { max_images, max_bytes, max_request_bytes } = this.#values;
    return `up to ${max_images} at a time, ${inMib(max_bytes)} each and ${inMib(max_request_bytes)} together`;
  }

  // How much of them some images take.
  taken(items) {
    const { max_images, max_request_bytes } = this.#values;
    return `${items.length} of ${max_images} images, ${inMib(sizeOf(items))} of ${inMib(max_request_bytes)}.`;
  }

  // Why images cannot be sent together, and what to do; or nothing.
  over(items) {
    const limits = this.#values,
      bytes = sizeOf(items) + PART_BYTES * items.length;
    const large = items.find((item) => item.file.size > limits.max_bytes);
    if (large) {
      return `${large.name} has ${inMib(large.file.size)}; at most ${inMib(limits.max_bytes)} are allowed. Remove it.`;
    }
    if (items.length > limits.max_images) {
      const more = items.length - limits.max_images;
      return `${items.length} images are ${more} more than the ${limits.max_images} allowed at a time. Remove some.`;
    }
    if (bytes > limits.max_request_bytes) {
      return `All together have ${inMib(bytes)}; at most ${inMib(limits.max_request_bytes)} are allowed. Remove some.`;
    }
    return "";
  }
}
