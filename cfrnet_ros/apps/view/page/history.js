// What became of the frames, and the latency, over the last two minutes; kept in this page only.

import { element, number, setText } from './dom.js';

const SECONDS = 120;
const HEIGHT = 110;
const MARGIN = { left: 34, right: 4, top: 8, bottom: 18 };
// From the bottom of the columns to their top.
const OUTCOMES = [
  ['processed', 'processed'],
  ['dropped', 'dropped for a newer one'],
  ['skipped', 'skipped by max_fps'],
  ['rejected', 'rejected'],
  ['lost', 'lost on the way'],
];
const LINES = [
  ['total', 'in the node, median'],
  ['age', 'age when sent, 95%'],
];

function svg(tag, attributes = {}, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

// The next larger of 1, 2, 5, 10, 20, 50, ...
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((digit) => digit * power).find((found) => found >= value) ?? 10 * power;
}

class Chart {
  constructor(title, series) {
    this.drawing = svg('svg', { class: 'chart', height: HEIGHT, role: 'img', 'aria-label': `${title}, last two minutes` });
    this.now = new Map(series.map(([key]) => [key, element('b')]));
    const legend = series.map(([key, words]) =>
      element('li', { class: key }, element('i', {}), ` ${words} `, this.now.get(key)));
    this.element = element('div', { class: 'plot' }, element('h3', { text: title }), this.drawing,
      element('ul', { class: 'legend' }, ...legend));
  }

  begin(most) {
    this.width = Math.max(160, this.drawing.clientWidth || 320);
    this.most = rounded(most);
    this.drawing.setAttribute('viewBox', `0 0 ${this.width} ${HEIGHT}`);
    const parts = [];
    for (const value of [0, this.most / 2, this.most]) {
      const y = this.y(value);
      parts.push(svg('line', { class: 'grid', x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y }));
      parts.push(svg('text', { x: MARGIN.left - 5, y: y + 4, 'text-anchor': 'end' }, number(value, value % 1 ? 1 : 0)));
    }
    parts.push(svg('text', { x: MARGIN.left, y: HEIGHT - 3 }, '2 min ago'));
    parts.push(svg('text', { x: this.width - MARGIN.right, y: HEIGHT - 3, 'text-anchor': 'end' }, 'now'));
    return parts;
  }

  x(age) {
    return this.width - MARGIN.right - (age / SECONDS) * (this.width - MARGIN.left - MARGIN.right);
  }

  y(value) {
    return HEIGHT - MARGIN.bottom - (value / this.most) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }
}

export class History {
  constructor(place) {
    this.nodes = new Map();
    this.frames = new Chart('Frames a second', OUTCOMES);
    this.latency = new Chart('Latency, ms', LINES);
    place.append(this.frames.element, this.latency.element);
  }

  // Takes the counts of new diagnostics; the same ones again are not counted twice.
  add(state) {
    const input = state.statuses.input?.values;
    const values = state.statuses.restoration?.values;
    if (!input || !values) return;
    const kept = this.nodes.get(state.node) ?? { samples: [], number: 0 };
    this.nodes.set(state.node, kept);
    if (kept.number === state.number) return;
    const time = performance.now() / 1000;
    const counts = Object.fromEntries(OUTCOMES.map(([key]) => [key, Number(input[`frames/${key}`] ?? 0)]));
    const before = kept.counts;
    // Counts that fall are those of a node that has started again.
    if (before && counts.processed >= before.processed && time > kept.time) {
      const seconds = Math.max(0.5, time - kept.time);
      const sample = { time };
      for (const [key] of OUTCOMES) sample[key] = Math.max(0, counts[key] - before[key]) / seconds;
      sample.total = Number(values['latency/total/p50_ms'] ?? NaN);
      sample.age = Number(values['latency/age/p95_ms'] ?? NaN);
      kept.samples.push(sample);
    }
    Object.assign(kept, { counts, time, number: state.number });
    while (kept.samples.length && time - kept.samples[0].time > SECONDS) kept.samples.shift();
  }

  draw(node) {
    const time = performance.now() / 1000;
    const samples = (this.nodes.get(node)?.samples ?? []).map((sample) => ({ ...sample, past: time - sample.time }));
    this.drawFrames(samples);
    this.drawLatency(samples);
  }

  drawFrames(samples) {
    const chart = this.frames;
    const sum = (sample) => OUTCOMES.reduce((total, [key]) => total + sample[key], 0);
    const parts = chart.begin(Math.max(1, ...samples.map(sum)));
    const width = Math.max(1, (chart.x(0) - chart.x(1)) * 0.8);
    for (const sample of samples) {
      let base = 0;
      for (const [key] of OUTCOMES) {
        if (sample[key] > 0) {
          const [top, bottom] = [chart.y(base + sample[key]), chart.y(base)];
          parts.push(svg('rect', { class: key, x: chart.x(sample.past) - width, y: top, width, height: bottom - top }));
          base += sample[key];
        }
      }
    }
    chart.drawing.replaceChildren(...parts);
    const last = samples.at(-1);
    for (const [key] of OUTCOMES) setText(chart.now.get(key), last ? number(last[key], 1) : '');
  }

  drawLatency(samples) {
    const chart = this.latency;
    const known = samples.flatMap((sample) => LINES.map(([key]) => sample[key])).filter(Number.isFinite);
    const parts = chart.begin(Math.max(1, ...known));
    for (const [key] of LINES) {
      const points = samples.filter((sample) => Number.isFinite(sample[key]))
        .map((sample) => `${chart.x(sample.past).toFixed(1)},${chart.y(sample[key]).toFixed(1)}`);
      parts.push(svg('polyline', { class: `line ${key}`, points: points.join(' ') }));
      const last = samples.at(-1);
      setText(chart.now.get(key), last && Number.isFinite(last[key]) ? `${number(last[key])} ms` : '');
    }
    chart.drawing.replaceChildren(...parts);
  }
}
