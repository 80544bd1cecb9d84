// The live connection: points out, label maps in. The server draws the newest points only.

const PATIENCE = 1500; // milliseconds until another try

// Events: `mask` with the labels and the number of the points they are of, `news`, `trouble` with a sentence, `fine`.
export class Live extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.number = 0;
    this.drawn = 0;
    this.last = null;
    this.#connect();
  }

  #connect() {
    this.socket = new WebSocket(this.address);
    this.socket.binaryType = 'arraybuffer';
    this.socket.addEventListener('open', () => {
      this.#tell('fine');
      if (this.last) this.draw(this.last);
    });
    this.socket.addEventListener('message', ({ data }) => this.#answer(data));
    this.socket.addEventListener('close', (event) => {
      this.#tell('trouble', event.reason || 'The server does not answer. What was decided is saved; start maskkit studio again where it has ended.');
      setTimeout(() => this.#connect(), PATIENCE);
    });
  }

  // Ask for the mask of points; gives their number.
  draw(points) {
    this.last = points;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ n: ++this.number, points }));
    return this.number;
  }

  #answer(data) {
    if (typeof data === 'string') {
      const said = JSON.parse(data);
      this.#tell(said.error ? 'trouble' : 'news', said.error ?? said);
      return;
    }
    const number = new DataView(data).getUint32(0, true);
    if (number <= this.drawn) return;
    this.drawn = number;
    this.#tell('mask', { number, labels: new Uint8Array(data, 4) });
  }

  #tell(kind, detail) { this.dispatchEvent(new CustomEvent(kind, { detail })); }
}
