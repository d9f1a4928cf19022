// Sliders for the node's parameters, with the node's own word when it refuses a value.

import { element, setText } from './dom.js';
import { SETTINGS } from './words.js';

// While a slider is dragged, at most one value in this time is sent: the last one always is.
const PERIOD_MS = 150;

class Slider {
  constructor(about, send) {
    this.name = about.name;
    this.send = send;
    this.busy = 0;
    this.value = null;
    const [title, hint] = SETTINGS[about.name] ?? [about.name, ''];
    const id = `set-${about.name}`;
    const range = { id, type: 'range', min: String(about.low), max: String(about.high), step: String(about.step) };
    this.range = element('input', range);
    this.box = element('input', { type: 'number', step: 'any', 'aria-label': `${title}, as a number` });
    this.error = element('p', { class: 'error', role: 'alert' });
    this.element = element('div', { class: 'slider', title: about.about },
      element('div', { class: 'head' }, element('label', { for: id, text: title }),
        element('code', { text: about.name }), this.box),
      this.range, element('p', { class: 'quiet', text: hint }), this.error);
    this.range.addEventListener('input', () => this.want(this.range.value, PERIOD_MS));
    this.box.addEventListener('change', () => this.want(this.box.value, 0));
  }

  want(text, delay) {
    this.range.value = text;
    if (this.box.value !== text) this.box.value = text;
    this.wanted = text;
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.busy += 1;
      this.send(this.name, this.wanted);
    }, delay);
  }

  answered(reason) {
    this.busy = Math.max(0, this.busy - 1);
    setText(this.error, reason ? `Refused: ${reason}` : '');
    if (reason) this.show(this.value);
  }

  update(value) {
    this.value = value;
    // What the user is about to set stays until the node has answered.
    if (!this.busy && !this.timer && document.activeElement !== this.box) this.show(value);
  }

  show(value) {
    if (value === null) return;
    const text = String(Math.round(value * 1000) / 1000);
    this.range.value = text;
    this.box.value = text;
  }
}

export class Settings {
  constructor(place, send) {
    this.place = place;
    this.send = send;
    this.sliders = new Map();
    this.node = null;
  }

  update(node, sliders) {
    const names = sliders.map((about) => about.name).join();
    if (this.node !== node || this.names !== names) {
      this.node = node;
      this.names = names;
      this.sliders = new Map(sliders.map((about) => [about.name, new Slider(about, this.send)]));
      this.place.replaceChildren(...[...this.sliders.values()].map((slider) => slider.element));
      if (!sliders.length) {
        this.place.append(element('p', { class: 'quiet', text: 'The node’s parameters are not there.' }));
      }
    }
    for (const about of sliders) this.sliders.get(about.name).update(about.value);
  }

  answered({ name, reason }) {
    this.sliders.get(name)?.answered(reason);
  }
}
