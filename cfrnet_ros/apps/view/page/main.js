// The page: hands what the viewer sends to the parts that show it.

import { Connection } from './connection.js';
import { element, number, setText } from './dom.js';
import { Faces } from './faces.js';
import { Diagnostics, Refused } from './findings.js';
import { History } from './history.js';
import { Latency } from './latency.js';
import { Pair } from './pair.js';
import { Settings } from './settings.js';

const $ = (id) => document.getElementById(id);
const body = (id) => $(id).querySelector('div');

let chosen = '';
let requests = 0;
let shownNode = null;
let shownPictures = 0;

const stage = new Pair('Whole frame');
$('stage').append(stage.element);
const faces = new Faces($('faces'), $('faces-note'));
const settings = new Settings(body('settings'), (name, value) => {
  requests += 1;
  connection.send({ type: 'set', name, value, id: requests });
});
const latency = new Latency(body('latency'));
const history = new History(body('history'));
const refused = new Refused(body('refused'));
const diagnostics = new Diagnostics(body('diagnostics'));

const connection = new Connection({
  link(state) {
    $('login').hidden = state !== 'locked';
    if (state !== 'open') $('view').hidden = true;
    if (state === 'offline') notice('error', 'The viewer does not answer. Trying again…');
    else if (state === 'locked') notice('', 'This page asks for a token.');
    else {
      notice('', 'Looking for nodes…');
      look();
    }
  },
  message(message) {
    if (message.type === 'state') update(message);
    else if (message.type === 'set') settings.answered(message);
  },
  async picture(about, files) {
    try {
      if (about.kind === 'faces') {
        await faces.show(about, files);
      } else {
        await stage.show(Object.fromEntries(about.files.map((name, place) => [name, files[place]])));
        if (about.error) setText(stage.tags.camera, about.error);
        shownPictures += 1;
        $('stage').dataset.shown = String(shownPictures);
      }
    } catch (error) {
      // A damaged picture; the next one may be whole.
      console.warn(error);
    }
  },
});

function look() {
  const seen = !document.hidden;
  connection.send({ type: 'look', node: chosen, whole: seen && $('whole').checked, faces: seen });
}

function notice(kind, text) {
  $('notice').className = kind;
  $('notice').hidden = !text;
  setText($('notice'), text);
}

// The most important thing to say about the node; nothing if all is well.
function finding(state) {
  if (!state.node) {
    return ['warn', `No restorer was found in ROS domain ${state.domain} yet. Start one, for example with`
      + ' “restorer --ros-args -r image:=/camera/image_raw”.'];
  }
  const lost = state.nodes.find((node) => node.name === state.node)?.lost ?? true;
  if (lost) {
    const since = state.silent_s === null ? '' : ` for ${number(state.silent_s)} s`;
    return ['error', `${state.node} has not answered${since}. Waiting for it to come back…`];
  }
  const values = state.statuses.input.values;
  if (values.lifecycle_state !== 'active') return ['warn', `${state.node} is ${values.lifecycle_state}: it restores nothing.`];
  if (values.enabled === 'false') return ['warn', `${state.node} is disabled by ~/enable: it restores nothing.`];
  const worst = Object.values(state.statuses).find((status) => status.level > 1);
  return worst ? ['error', worst.message] : ['', ''];
}

function update(state) {
  notice(...finding(state));
  $('view').hidden = !state.node;
  tabs(state);
  if (!state.node) {
    $('figures').replaceChildren();
    return;
  }
  if (shownNode !== state.node) {
    shownNode = state.node;
    faces.clear('');
    stage.element.classList.remove('shown');
  }
  const lost = state.nodes.find((node) => node.name === state.node)?.lost ?? true;
  document.body.classList.toggle('lost', lost);
  if (lost) faces.clear('');
  const values = state.statuses.restoration?.values ?? {};
  const input = state.statuses.input?.values ?? {};
  figures(lost ? [] : [
    [`${number(values['rate/output_hz'], 1)}`, 'frames a second'],
    [`${number(values['latency/age/p95_ms'])} ms`, 'age, 95%'],
    [`${number(100 * input.drop_share)}%`, 'dropped'],
    [number(values.faces_per_frame, 1), 'faces'],
  ]);
  $('stage').classList.toggle('off', !$('whole').checked);
  settings.update(state.node, lost ? [] : state.sliders);
  latency.update(values);
  history.add(state);
  history.draw(state.node);
  refused.update(state);
  diagnostics.update(state.statuses);
  $('stage').dataset.none = state.whole_frames ? '' : 'The node sends no whole frames (whole_frames is false).';
}

function tabs(state) {
  const made = state.nodes.map((node) => {
    const level = node.lost ? 2 : node.level;
    const tab = element('button', { type: 'button', class: 'tab' },
      element('i', { class: `dot level-${level}` }), element('span', { text: node.name }));
    tab.setAttribute('aria-pressed', String(node.name === state.node));
    tab.title = node.lost ? 'does not answer' : ['all is well', 'has a warning', 'has an error', 'stale'][level];
    tab.addEventListener('click', () => {
      chosen = node.name;
      look();
    });
    return tab;
  });
  const told = JSON.stringify([state.nodes, state.node]);
  if ($('nodes').dataset.told === told) return;
  $('nodes').dataset.told = told;
  $('nodes').replaceChildren(...made);
}

function figures(list) {
  while ($('figures').children.length > list.length) $('figures').lastChild.remove();
  list.forEach(([value, words], place) => {
    let item = $('figures').children[place];
    if (!item) {
      item = element('li', {}, element('b'), element('span'));
      $('figures').append(item);
    }
    setText(item.firstChild, value);
    setText(item.lastChild, words);
  });
}

$('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const right = await connection.logIn($('token').value.trim());
  $('token').value = '';
  setText($('wrong'), right ? '' : 'This is not the token.');
});
$('layout').addEventListener('change', (event) => {
  document.body.classList.toggle('beside', event.target.value === 'side');
});
$('whole').addEventListener('change', () => {
  $('stage').classList.toggle('off', !$('whole').checked);
  look();
});
document.addEventListener('visibilitychange', look);

connection.run();
