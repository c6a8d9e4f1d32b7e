// Zip archives of files that are compressed already: nothing is compressed again.
//
// Written by APPNOTE 6.3 of PKWARE: local headers with their data, the central directory, its end. Names are UTF-8. Up
// to 4 GiB and 65,535 files, which is far more than a page holds.

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// Fields of two or four bytes, little-endian.
function packed(...fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0)), view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true); else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}

const UTF8_NAMES = 0x0800, STORED = 0, MIDNIGHT = 0, YEAR_1980 = 0x21, VERSION = 20;

// A Blob of files, [{ path, blob }]; `base` is an archive to lay them into.
export async function zipped(files, base = null) {
  const parts = [], directory = [];
  let at = 0, number = 0;
  if (base) ({ at, number } = await begunWith(base, parts, directory));
  for (const { path, blob } of files) {
    const name = new TextEncoder().encode(path);
    const common = [
      [2, VERSION], [2, UTF8_NAMES], [2, STORED], [2, MIDNIGHT], [2, YEAR_1980],
      [4, crc32(new Uint8Array(await blob.arrayBuffer()))], [4, blob.size], [4, blob.size], [2, name.length], [2, 0],
    ];
    const local = packed([4, 0x04034b50], ...common);
    parts.push(local, name, blob);
    directory.push(packed([4, 0x02014b50], [2, VERSION], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), name);
    at += local.length + name.length + blob.size;
    number += 1;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = packed([4, 0x06054b50], [2, 0], [2, 0], [2, number], [2, number], [4, size], [4, at], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

// Takes over an archive without a comment: its files as they lie, and its directory.
async function begunWith(base, parts, directory) {
  const end = new DataView(await base.slice(base.size - 22).arrayBuffer());
  if (end.getUint32(0, true) !== 0x06054b50) throw new Error("the archive has no end that is known here");
  const [size, at] = [end.getUint32(12, true), end.getUint32(16, true)];
  parts.push(base.slice(0, at));
  directory.push(new Uint8Array(await base.slice(at, at + size).arrayBuffer()));
  return { at, number: end.getUint16(10, true) };
}
