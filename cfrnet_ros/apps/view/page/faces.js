// A card for each face of the newest frame.

import { element, number, setText } from './dom.js';
import { Pair } from './pair.js';
import { reasonText } from './words.js';

class Card {
  constructor(id) {
    this.pair = new Pair(`Face ${id}`);
    this.title = element('strong', { text: id < 0 ? 'Face' : `Face ${id}` });
    this.verdict = element('span', { class: 'verdict' });
    this.facts = element('span', { class: 'quiet' });
    this.element = element('figure', { class: 'face' }, this.pair.element,
      element('figcaption', {}, this.title, this.verdict, this.facts));
  }

  async show(values, files) {
    await this.pair.show(files);
    const restored = values.restored === 'true';
    const cycles = Number(values.cycles);
    const done = `restored, ${cycles} ${cycles === 1 ? 'cycle' : 'cycles'}`;
    setText(this.verdict, restored ? done : `left as it was: ${reasonText(values.reason)}`);
    this.element.classList.toggle('refused', !restored);
    const facts = [];
    if (values.size_px) facts.push(`${number(values.size_px)} px`);
    if (values.fused_frames) facts.push(`fused from ${number(values.fused_frames, 1)} frames`);
    if (values.identity_drift_deg) facts.push(`${number(values.identity_drift_deg)}° from the person`);
    setText(this.facts, facts.join(' · '));
  }
}

export class Faces {
  constructor(place, note) {
    this.place = place;
    this.note = note;
    this.cards = new Map();
  }

  async show(about, files) {
    let next = 0;
    const cards = [];
    for (const { values, files: names } of about.faces) {
      const id = Number(values.track_id);
      // Faces without a track have no number of their own.
      const key = id < 0 ? `none ${cards.length}` : id;
      const card = this.cards.get(key) ?? new Card(id);
      this.cards.set(key, card);
      cards.push(key);
      await card.show(values, Object.fromEntries(names.map((name) => [name, files[next++]])));
    }
    for (const key of [...this.cards.keys()]) {
      if (!cards.includes(key)) this.cards.delete(key);
    }
    const wanted = cards.map((key) => this.cards.get(key).element);
    const same = wanted.length === this.place.children.length
      && wanted.every((one, place) => one === this.place.children[place]);
    if (!same) this.place.replaceChildren(...wanted);
    setText(this.note, cards.length ? '' : 'no face in the picture');
  }

  clear(text) {
    this.cards.clear();
    this.place.replaceChildren();
    setText(this.note, text);
  }
}
