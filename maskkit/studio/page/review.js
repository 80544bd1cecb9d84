// The page of `maskkit studio`: one row after another is shown, moved and decided on.

import { Live } from './live.js';
import { Stage } from './stage.js';

const GROUPS = { // what may move together, of the groups that the server names
  'one point': null, 'right eye': ['right_eye'], 'left eye': ['left_eye'], eyes: ['right_eye', 'left_eye'],
  brows: ['right_brow', 'left_brow'], nose: ['nose_bridge', 'nose_base'], mouth: ['outer_lip', 'inner_lip'], jaw: ['jaw'],
};
const VERDICTS = { accept: 'accepted', correct: 'corrected', reject: 'rejected' };
const find = (selector) => document.querySelector(selector);

let data, stage, live, row;
let waiting = null; // the newest change that is not yet saved
let saving = null; // the request that is under way

class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
  } catch {
    throw new Refused('The server does not answer. The last change is not saved yet.', 0);
  }
  const content = await answer.json().catch(() => ({ error: `the server answered with status ${answer.status}` }));
  if (!answer.ok) throw new Refused(content.error, answer.status);
  return content;
}

function trouble(sentence, again = false) {
  find('#trouble').hidden = !sentence;
  find('#trouble span').textContent = sentence ?? '';
  find('#again').hidden = !again;
}

// Run what may be refused, and say so.
async function tried(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    trouble(error.message, waiting !== null);
  }
}

function change(verdict, gesture = crypto.randomUUID()) {
  const points = verdict === 'correct' ? stage.points.map((point) => [...point]) : null;
  waiting = { position: row.position, verdict, points, gesture };
  tell(row);
  tried(save);
}

// Save what waits; while a request is under way only the newest change waits.
async function save() {
  while (saving) await saving.catch(() => {});
  if (!waiting) return;
  const { position, ...wanted } = waiting;
  const sent = waiting;
  saving = ask(`rows/${position}/decide`, { ...wanted, seen: row.version });
  try {
    const state = await saving;
    if (waiting === sent) waiting = null;
    if (state.position === row.position) update(state);
    trouble(null);
  } catch (error) {
    if (error.status) waiting = null; // refused: another try would be too
    if (error.status === 507) waiting = sent; // no room on the disk, which may change
    if (error.status === 409) await load(position);
    else tell(row);
    throw error;
  } finally {
    saving = null;
  }
  if (waiting) await save();
}

async function load(position) {
  const state = await ask(`rows/${position}`);
  row = state;
  history.replaceState(null, '', `#${position}`);
  stage.show(`rows/${position}/photo.png`, state.points);
  live.draw(stage.points);
  tell(state);
}

// Take over what the server says of the row that is shown.
function update(state) {
  const same = JSON.stringify(state.points) === JSON.stringify(stage.points);
  row = state;
  if (!stage.busy && !waiting && !same) {
    stage.setPoints(state.points);
    live.draw(stage.points);
  }
  tell(state);
}

function tell(state) {
  const { counts } = state;
  find('#name').textContent = state.id;
  find('#where').textContent = `row ${state.position + 1} of ${counts.rows}, ${state.split}, points by ${state.detector}`;
  find('#reasons').replaceChildren(...state.reasons.map((text) => Object.assign(document.createElement('li'), { textContent: text })));
  const saved = state.verdict ? `${VERDICTS[state.verdict]}, saved` : 'not decided';
  find('#state').textContent = waiting ? 'not saved yet' : saved;
  find('#state').className = waiting ? '' : state.verdict ?? '';
  for (const verdict of Object.keys(VERDICTS)) find(`[data-do="${verdict}"]`).setAttribute('aria-pressed', state.verdict === verdict);
  tellCounts(state);
}

function tellCounts({ counts, undo, redo }) {
  find('#facts').textContent = `${data.folder}: ${counts.rows} rows, ${counts.doubtful} doubtful; ${counts.accept} accepted, ${counts.correct} corrected, ${counts.reject} rejected`;
  find('#facts').title = data.file;
  find('[data-do="undo"]').disabled = !undo;
  find('[data-do="redo"]').disabled = !redo;
}

async function go(position) {
  await save();
  if (position >= 0 && position < row.counts.rows) await load(position);
}

async function step(which) {
  await save();
  const state = await ask(which, {});
  if (state.position === row.position) update(state);
  else await load(state.position);
}

async function propose(kind) {
  const { points } = await ask(`rows/${row.position}/proposals/${kind}`);
  stage.setPoints(points);
  live.draw(stage.points);
  change('correct');
  trouble(null);
}

const ACTIONS = {
  accept: () => change('accept'),
  correct: () => change('correct'),
  reject: () => change('reject'),
  clear: () => change(null),
  undo: () => tried(() => step('undo')),
  redo: () => tried(() => step('redo')),
  previous: () => tried(() => go(row.position - 1)),
  following: () => tried(() => go(row.position + 1)),
  next: () => tried(async () => { await save(); await go((await ask(`rows/${row.position}/next`)).position); }),
};

const KEYS = {
  a: ACTIONS.accept, c: ACTIONS.correct, r: ACTIONS.reject, x: ACTIONS.clear, z: ACTIONS.undo, y: ACTIONS.redo,
  n: ACTIONS.next, j: ACTIONS.following, k: ACTIONS.previous,
  '[': () => stage.choose((stage.current + 67) % 68), ']': () => stage.choose((stage.current + 1) % 68),
  g: () => group((chosen + 1) % Object.keys(GROUPS).length),
  q: (share) => stage.turn(-share), e: (share) => stage.turn(share),
  '+': (share) => stage.scale(share), '-': (share) => stage.scale(-share),
  m: () => toggleMask(), o: () => find('#outline').click(),
};

function pressed(event) {
  if (event.target.matches?.('input[type="search"]') || event.altKey) return;
  const key = event.key.toLowerCase();
  const commanded = event.ctrlKey || event.metaKey;
  let action = KEYS[key];
  if (commanded) action = { z: event.shiftKey ? ACTIONS.redo : ACTIONS.undo, y: ACTIONS.redo }[key];
  else if (/^[1-9]$/.test(key)) action = find(`#proposals button:nth-child(${key})`) && (() => find(`#proposals button:nth-child(${key})`).click());
  if (!action) return;
  event.preventDefault();
  action(event.shiftKey && key !== '+' ? 0.1 : 1);
}

let chosen = 0;
function group(number) {
  chosen = number;
  const [name, parts] = Object.entries(GROUPS)[number];
  find('#groups').querySelectorAll('button').forEach((button, place) => {
    button.setAttribute('aria-checked', place === number);
    button.tabIndex = place === number ? 0 : -1;
  });
  stage.setTogether(parts && parts.flatMap((part) => data.groups[part]));
  return name;
}

let opacityBefore = 45;
function toggleMask() {
  const slider = find('#opacity');
  if (Number(slider.value)) opacityBefore = slider.value;
  slider.value = Number(slider.value) ? 0 : opacityBefore;
  view();
}

function view() {
  stage.opacity = find('#opacity').value / 100;
  stage.outline = find('#outline').checked;
  stage.root.classList.toggle('nodots', !find('#dots').checked);
  stage.draw();
}

function button(text, attributes) {
  const made = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function build() {
  find('#groups').replaceChildren(...Object.keys(GROUPS).map((name, number) => {
    const made = button(name, { role: 'radio' });
    made.addEventListener('click', () => group(number));
    return made;
  }));
  find('#groups').addEventListener('keydown', (event) => {
    const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const count = Object.keys(GROUPS).length;
    group((chosen + way + count) % count);
    find('#groups').children[chosen].focus();
  });
  find('#proposals').replaceChildren(...Object.entries(data.proposals).map(([kind, title], number) => {
    const made = button(`${number + 1} ${title}`, { 'data-proposal': kind });
    made.addEventListener('click', () => tried(() => propose(kind)));
    return made;
  }));
  find('#regions').replaceChildren(...data.regions.map(({ name, color }) => {
    const line = document.createElement('li');
    const label = document.createElement('label');
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', checked: name !== 'background' });
    const swatch = Object.assign(document.createElement('span'), { className: 'swatch' });
    swatch.style.background = `rgb(${color})`;
    const count = document.createElement('output');
    count.dataset.region = name;
    count.title = 'pixels';
    const show = () => stage.hidden[box.checked ? 'delete' : 'add'](name);
    box.addEventListener('change', () => { show(); stage.draw(); });
    show();
    label.append(box, swatch, name.replace('_', ' '), count);
    line.append(label);
    return line;
  }));
  document.querySelectorAll('[data-do]').forEach((made) => made.addEventListener('click', ACTIONS[made.dataset.do]));
  for (const id of ['#opacity', '#outline', '#dots']) find(id).addEventListener('input', view);
  find('#again').addEventListener('click', () => tried(save));
  find('#find').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = new FormData(event.target).get('id');
    tried(async () => { await go((await ask(`find?id=${encodeURIComponent(text)}`)).position); trouble(null); });
  });
  document.addEventListener('keydown', pressed);
  addEventListener('beforeunload', (event) => { if (waiting) event.preventDefault(); });
  addEventListener('hashchange', () => tried(() => go(Number(location.hash.slice(1)))));
}

function masked({ detail: { number, labels } }) {
  stage.setMask(labels);
  const counts = new Uint32Array(256);
  for (const label of labels) counts[label]++;
  data.regions.forEach(({ name }, index) => { find(`[data-region="${name}"]`).textContent = counts[index]; });
  document.dispatchEvent(new CustomEvent('drawn', { detail: number }));
}

// Another page, on another tab or in another hand, has decided.
function heard({ detail }) {
  tellCounts(detail);
  const news = detail.changed === row?.position && detail.version > row.version;
  if (news && !waiting && !saving && !stage.busy) tried(async () => update(await ask(`rows/${row.position}`)));
}

async function start() {
  data = await ask('data');
  document.title = `${data.folder} - maskkit studio`;
  stage = new Stage(find('#stage'), data);
  live = new Live(new URL('live', location.href.replace(/^http/, 'ws')));
  build();
  group(0);
  stage.choose(0, false);
  live.addEventListener('mask', masked);
  live.addEventListener('news', heard);
  live.addEventListener('trouble', ({ detail }) => trouble(detail, waiting !== null));
  live.addEventListener('fine', () => trouble(null));
  stage.addEventListener('moved', () => live.draw(stage.points));
  stage.addEventListener('edited', ({ detail }) => { live.draw(stage.points); change('correct', detail.gesture); });
  view();
  await load(Number(location.hash.slice(1)) || 0);
}

tried(start);
