// Objects that the service keeps: chosen to be looked for, kept from the images that are here, removed.
import { byId } from "./dom.js";

const PREFIX = "object:";

export class Kept {
  #names = null; // null: the service keeps none

  // `on` has failed(error).
  constructor(service, on) {
    this.service = service;
    this.on = on;
    byId("remove-object").addEventListener("click", () => this.#remove());
  }

  // Name of the object that is looked for, or nothing.
  get selected() {
    const { value } = byId("mode");
    return value.startsWith(PREFIX) ? value.slice(PREFIX.length) : "";
  }

  // Asks for the names, where the service keeps objects at all.
  async load(isOn = true) {
    this.#names = isOn ? await this.service.objects() : null;
    this.#options();
  }

  // Keeps what images have in common, and looks for it from then on; gives what the service tells of it.
  async keep(name, items, hints, options) {
    const told = await this.service.keep(name, items, hints, options);
    await this.load();
    byId("mode").value = PREFIX + name;
    return told;
  }

  render(canKeep) {
    byId("keep").hidden = this.#names === null || Boolean(this.selected);
    byId("keep-button").disabled = !canKeep;
    byId("remove-object").hidden = !this.selected;
    byId("remove-object").textContent = `Delete “${this.selected}”`;
  }

  async #remove() {
    const name = this.selected;
    if (!confirm(`Delete the object “${name}” from the service, for everybody?`)) return;
    try {
      await this.service.remove(name);
    } catch (error) {
      this.on.failed(error);
    }
    await this.load();
  }

  #options() {
    const select = byId("mode"), group = byId("objects"), before = select.value;
    group.replaceChildren(...(this.#names ?? []).map((name) => new Option(name, PREFIX + name)));
    group.hidden = !this.#names?.length;
    select.value = before;
    if (!select.value) select.value = "common";
    this.render(false);
  }
}
