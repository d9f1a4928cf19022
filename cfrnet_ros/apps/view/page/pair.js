// Two pictures of the same thing, camera and restored, with a wipe between them or side by side.

import { element, setText } from './dom.js';

const NAMES = { camera: 'Camera', restored: 'Restored' };
const STEP = 5;
let wipe = 50;

function setWipe(percent) {
  wipe = Math.min(100, Math.max(0, percent));
  document.documentElement.style.setProperty('--wipe', `${wipe}%`);
  for (const handle of document.querySelectorAll('.handle')) {
    handle.setAttribute('aria-valuenow', String(Math.round(wipe)));
  }
}

export class Pair {
  constructor(label) {
    this.canvases = {};
    this.tags = {};
    this.element = element('div', { class: 'pair' });
    for (const side of ['camera', 'restored']) {
      const canvas = element('canvas', { class: side, role: 'img' });
      canvas.setAttribute('aria-label', `${label}: ${NAMES[side].toLowerCase()}`);
      canvas.width = canvas.height = 1;
      this.canvases[side] = canvas;
      this.tags[side] = element('span', { class: `tag ${side}`, text: NAMES[side] });
      this.element.append(element('div', { class: `half ${side}` }, canvas, this.tags[side]));
    }
    this.element.append(this.handle(label));
    this.element.addEventListener('pointerdown', (event) => this.drag(event));
    this.element.addEventListener('pointermove', (event) => {
      if (this.element.hasPointerCapture(event.pointerId)) this.follow(event);
    });
  }

  handle(label) {
    const handle = element('div', {
      class: 'handle', role: 'slider', tabindex: '0', 'aria-valuemin': '0', 'aria-valuemax': '100',
      'aria-valuenow': String(Math.round(wipe)), 'aria-label': `${label}: where the restored picture begins`,
    });
    handle.addEventListener('keydown', (event) => {
      const moves = { ArrowLeft: wipe - STEP, ArrowRight: wipe + STEP, Home: 0, End: 100 };
      if (event.key in moves) {
        setWipe(moves[event.key]);
        event.preventDefault();
      }
    });
    return handle;
  }

  drag(event) {
    if (event.button !== 0 || document.body.classList.contains('beside')) return;
    this.element.setPointerCapture(event.pointerId);
    this.follow(event);
  }

  follow(event) {
    const box = this.element.getBoundingClientRect();
    setWipe(((event.clientX - box.left) / box.width) * 100);
  }

  // files: a Blob for each of 'camera' and 'restored' that there is.
  async show(files) {
    const sides = Object.keys(files);
    const bitmaps = await Promise.all(sides.map((side) => createImageBitmap(files[side])));
    sides.forEach((side, place) => {
      const bitmap = bitmaps[place];
      const canvas = this.canvases[side];
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
      }
      canvas.getContext('2d').drawImage(bitmap, 0, 0);
      this.element.style.setProperty('--ratio', String(bitmap.width / bitmap.height));
      bitmap.close();
    });
    for (const side of ['camera', 'restored']) this.miss(side, !(side in files));
    this.element.classList.add('shown');
  }

  miss(side, missing) {
    this.element.classList.toggle(`no-${side}`, missing);
    const name = NAMES[side];
    setText(this.tags[side], missing ? `no ${name.toLowerCase()} picture` : name);
  }
}
