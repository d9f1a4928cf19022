// What was refused and why, and the node's three statuses.

import { element, setText } from './dom.js';
import { causeText, reasonText } from './words.js';

const LEVELS = ['OK', 'WARN', 'ERROR', 'STALE'];
const PARTS = ['input', 'restoration', 'engine'];
const OTHERS = [
  ['frames/dropped', 'dropped', 'a newer frame came first'],
  ['frames/skipped', 'skipped', 'came faster than max_fps'],
  ['frames/lost', 'lost', 'never arrived from the camera'],
];

function withPrefix(values, prefix) {
  return Object.entries(values).filter(([key]) => key.startsWith(prefix))
    .map(([key, text]) => [key.slice(prefix.length), text]).filter(([, text]) => Number(text) > 0);
}

function line(count, what, why) {
  return element('tr', {}, element('td', { class: 'figure', text: count }),
    element('td', { text: what }), element('td', { class: 'quiet', text: why }));
}

export class Refused {
  constructor(place) {
    this.place = place;
    this.told = '';
  }

  update(state) {
    const input = state.statuses.input?.values ?? {};
    const values = state.statuses.restoration?.values ?? {};
    const faces = withPrefix(values, 'faces/unrestored/').map(([reason, count]) => {
      const limit = state.limits[reason];
      const told = limit && limit.value !== null ? `${limit.parameter} is ${limit.value}` : limit?.parameter ?? '';
      return [count, `face: ${reasonText(reason)}`, told];
    });
    const frames = withPrefix(input, 'frames/rejected/').map(([cause, count]) => [count, `frame: ${causeText(cause)}`, cause]);
    const others = OTHERS.filter(([key]) => Number(input[key]) > 0).map(([key, what, why]) => [input[key], `frame: ${what}`, why]);
    const lines = [...faces, ...frames, ...others];
    const told = JSON.stringify(lines);
    if (told === this.told) return;
    this.told = told;
    if (!lines.length) {
      this.place.replaceChildren(element('p', { class: 'quiet', text: 'Nothing since the node started.' }));
      return;
    }
    this.place.replaceChildren(
      element('table', { class: 'refused' }, element('tbody', {}, ...lines.map((each) => line(...each)))),
      element('p', { class: 'quiet', text: 'Counted since the node started.' }));
  }
}

class Part {
  constructor(name) {
    this.level = element('span', { class: 'level' });
    this.message = element('p');
    this.values = element('tbody');
    this.element = element('article', {},
      element('h3', {}, this.level, ` ${name}`), this.message,
      element('details', {}, element('summary', { text: 'All values' }), element('table', { class: 'values' }, this.values)));
  }

  update(status) {
    this.level.className = `level level-${status.level}`;
    setText(this.level, LEVELS[status.level] ?? String(status.level));
    setText(this.message, status.message);
    const entries = Object.entries(status.values);
    const keys = entries.map(([key]) => key).join();
    if (keys !== this.keys) {
      this.keys = keys;
      this.values.replaceChildren(...entries.map(([key]) =>
        element('tr', {}, element('th', { scope: 'row', text: key }), element('td'))));
    }
    entries.forEach(([, text], place) => setText(this.values.children[place].lastChild, text));
  }
}

export class Diagnostics {
  constructor(place) {
    this.parts = new Map(PARTS.map((name) => [name, new Part(name)]));
    place.append(...[...this.parts.values()].map((part) => part.element));
  }

  update(statuses) {
    for (const [name, part] of this.parts) if (statuses[name]) part.update(statuses[name]);
  }
}
