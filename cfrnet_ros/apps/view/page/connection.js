// The connection to the viewer: token, WebSocket, and new tries after it was lost.

const RETRY_MS = 1000;
const LENGTH_BYTES = 4;

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

export class Connection {
  // handlers: link(state) with 'open', 'offline' or 'locked'; message(object); picture(about, files),
  // which returns a promise that is fulfilled when the picture is shown.
  constructor(handlers) {
    this.handlers = handlers;
    this.socket = null;
    this.unlock = null;
  }

  async run() {
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    if (given) {
      // Not in the address bar, the history or a bookmark.
      history.replaceState(null, '', location.pathname);
      await this.logIn(given);
    }
    for (;;) {
      const state = await this.session();
      if (state === 'open') {
        await this.talk();
      } else {
        this.handlers.link(state);
        if (state === 'locked') await new Promise((done) => { this.unlock = done; });
      }
      if (state !== 'locked') await pause(RETRY_MS);
    }
  }

  // Whether the viewer is there, and lets this browser in.
  async session() {
    try {
      const answer = await fetch('/session');
      return answer.ok ? 'open' : 'locked';
    } catch {
      return 'offline';
    }
  }

  async logIn(token) {
    try {
      const answer = await fetch('/session', { method: 'POST', body: token });
      if (answer.ok && this.unlock) this.unlock();
      return answer.ok;
    } catch {
      return false;
    }
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  talk() {
    return new Promise((ended) => {
      const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/socket`);
      socket.binaryType = 'arraybuffer';
      socket.onopen = () => {
        this.socket = socket;
        this.handlers.link('open');
      };
      socket.onmessage = (event) => {
        if (typeof event.data === 'string') this.handlers.message(JSON.parse(event.data));
        else this.show(event.data);
      };
      socket.onclose = () => {
        if (this.socket) this.handlers.link('offline');
        this.socket = null;
        ended();
      };
    });
  }

  async show(data) {
    const head = new DataView(data).getUint32(0, true);
    const json = new Uint8Array(data, LENGTH_BYTES, head);
    const about = JSON.parse(new TextDecoder().decode(json));
    let at = LENGTH_BYTES + head;
    const files = about.lengths.map((length) => {
      const file = new Blob([new Uint8Array(data, at, length)]);
      at += length;
      return file;
    });
    await this.handlers.picture(about, files);
    // Only now the next one comes: nothing queues up.
    this.send({ type: 'shown', kind: about.kind });
  }
}
