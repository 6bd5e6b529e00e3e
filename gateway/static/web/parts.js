// A large file on its way in parts: what has arrived is kept, and sending goes on from there.
// https://datatracker.ietf.org/doc/draft-ietf-httpbis-resumable-upload/12/

import { exchange } from "./exchange.js";

const PART_BYTES = 8 * 1024 * 1024;

/** A file that is sent in parts with the parameters `query`. */
export class Parts {
  constructor(file, query, headers) {
    Object.assign(this, { file, query, headers, path: null, offset: null, arrived: 0 });
  }

  /**
   * Send what has not arrived; what was answered last. Of its fields, `moved` tells whether more has
   * arrived than by the last time.
   */
  async goOn(signal, onProgress) {
    const before = this.arrived;
    const result = (await this.find(signal)) ?? (await this.sendRest(signal, onProgress));
    return { ...result, moved: this.arrived > before };
  }

  /** Have it all thrown away, if anything was begun. */
  async giveUp() {
    if (this.path) await fetch(this.path, { method: "DELETE" }).catch(() => {});
  }

  /** Begin it, or ask how much of it has arrived; the answer where neither can be done. */
  async find(signal) {
    const result = this.path ? await exchange("HEAD", this.path, { signal }) : await this.begin(signal);
    if (result.status !== 201 && result.status !== 204) return result;
    this.path ??= new URL(result.header("Location"), location.href).pathname;
    this.take(result);
    return null;
  }

  begin(signal) {
    const headers = { ...this.headers, "Upload-Complete": "?0", "Upload-Length": String(this.file.size) };
    return exchange("POST", `/v1/uploads?${this.query}`, { headers, signal });
  }

  async sendRest(signal, onProgress) {
    for (;;) {
      const begin = this.offset;
      const end = Math.min(begin + PART_BYTES, this.file.size);
      const result = await exchange("PATCH", this.path, {
        headers: {
          "Content-Type": "application/partial-upload",
          "Upload-Offset": String(begin),
          "Upload-Complete": end === this.file.size ? "?1" : "?0",
        },
        body: this.file.slice(begin, end),
        signal,
        onProgress: (loaded) => onProgress((begin + loaded) / this.file.size),
      });
      if (result.status !== 204) return result;
      this.take(result);
      if (this.offset === begin) return { ...result, status: 0 };
    }
  }

  take(result) {
    this.offset = Number(result.header("Upload-Offset"));
    this.arrived = Math.max(this.arrived, this.offset);
  }
}
