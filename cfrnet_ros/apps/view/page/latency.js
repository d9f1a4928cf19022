// Bars: the median of each stage, and how far the slowest twentieth reaches.

import { element, number, setText } from './dom.js';
import { stageText } from './words.js';

const KEY = /^latency\/(.+)\/p50_ms$/;
const SUMS = ['total', 'age'];

function readStages(values) {
  const stages = [];
  for (const [key, text] of Object.entries(values)) {
    const found = KEY.exec(key);
    if (found) {
      const p95 = values[`latency/${found[1]}/p95_ms`];
      stages.push({ stage: found[1], p50: Number(text), p95: Number(p95) });
    }
  }
  return stages;
}

class Row {
  constructor(stage) {
    this.bar = element('span', { class: 'bar' }, element('i', {}), element('b', {}));
    this.figures = element('td', { class: 'figure' });
    this.element = element('tr', { class: SUMS.includes(stage) ? 'sum' : '' },
      element('th', { scope: 'row', text: stageText(stage) }), element('td', { class: 'wide' }, this.bar), this.figures);
  }

  update({ p50, p95 }, most) {
    this.bar.style.setProperty('--p50', `${(100 * p50) / most}%`);
    this.bar.style.setProperty('--p95', `${(100 * p95) / most}%`);
    setText(this.figures, `${number(p50, 1)} / ${number(p95, 1)}`);
  }
}

export class Latency {
  constructor(place) {
    this.body = element('tbody');
    this.rows = new Map();
    this.none = element('p', { class: 'quiet', text: 'No frame has been processed yet.' });
    this.table = element('table', { class: 'stages', hidden: true },
      element('thead', {}, element('tr', {}, element('th', { scope: 'col', text: 'stage' }),
        element('th', {}), element('th', { scope: 'col', class: 'figure', text: 'median / 95%, ms' }))), this.body);
    place.append(this.table, this.none);
  }

  update(values) {
    const stages = readStages(values);
    this.table.hidden = !stages.length;
    this.none.hidden = stages.length > 0;
    const most = (sums) => Math.max(1e-3, ...stages.filter(({ stage }) => SUMS.includes(stage) === sums).map(({ p95 }) => p95));
    // Stages on one scale and sums on another: else a sum would make every stage a sliver.
    const [parts, sums] = [most(false), most(true)];
    const rows = stages.map((each) => {
      const row = this.rows.get(each.stage) ?? new Row(each.stage);
      this.rows.set(each.stage, row);
      row.update(each, SUMS.includes(each.stage) ? sums : parts);
      return row.element;
    });
    const same = rows.length === this.body.children.length && rows.every((row, n) => row === this.body.children[n]);
    if (!same) this.body.replaceChildren(...rows);
  }
}
