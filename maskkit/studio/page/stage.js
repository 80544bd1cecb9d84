// The canvas: a photo, the mask over it, and 68 points that can be moved. Knows nothing of rows, decisions or servers.

const SVG = 'http://www.w3.org/2000/svg';
const DOT = 3.6, HIT = 13, HANDLE = 6; // radii in CSS pixels
const STEP = 1, TENTH = 0.1, TURN = Math.PI / 180, GROWTH = 0.01; // of a key
const AWAY = 22; // CSS pixels from a group to its handles
const STROKES = [['jaw'], ['right_brow'], ['left_brow'], ['nose_bridge'], ['nose_base']];
const LOOPS = [['right_eye'], ['left_eye'], ['outer_lip'], ['inner_lip']];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const make = (name, attributes = {}, parent = null) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
};
const round = (value) => Math.round(value * 100) / 100;

// Events: `moved` while something is dragged, `edited` once it is done; detail.gesture names what is undone together.
export class Stage extends EventTarget {
  constructor(root, { size, groups, regions }) {
    super();
    Object.assign(this, { root, size, groups, regions });
    this.points = [];
    this.together = null; // the numbers of the points that move together, or null: each by itself
    this.current = 0;
    this.opacity = 0.45;
    this.outline = true;
    this.hidden = new Set();
    this.labels = null;
    this.drag = null;
    this.nudge = { key: '', gesture: '', at: 0 };
    this.photo = document.createElement('img');
    this.photo.alt = '';
    this.photo.draggable = false;
    this.canvas = document.createElement('canvas');
    this.small = new OffscreenCanvas(size, size);
    this.svg = make('svg', { viewBox: `-0.5 -0.5 ${size} ${size}`, role: 'group', 'aria-label': 'points' });
    root.replaceChildren(this.photo, this.canvas, this.svg);
    this.#build();
    new ResizeObserver(() => this.#resized()).observe(root);
    root.addEventListener('pointerdown', (event) => this.#begin(event));
    root.addEventListener('pointermove', (event) => this.#follow(event));
    for (const end of ['pointerup', 'pointercancel']) root.addEventListener(end, (event) => this.#end(event));
    root.addEventListener('keydown', (event) => this.#key(event));
  }

  #build() {
    this.bones = [...STROKES, ...LOOPS].map(([name], place) => ({
      path: make('path', { class: 'bones' }, this.svg), numbers: this.groups[name], closed: place >= STROKES.length,
    }));
    this.box = make('rect', { class: 'box' }, this.svg);
    this.dots = Array.from({ length: 68 }, (_, number) => {
      const group = Object.keys(this.groups).find((name) => this.groups[name].includes(number)) ?? '';
      const made = make('g', {
        class: 'point', role: 'button', tabindex: -1, 'data-point': number,
        'aria-label': `point ${number}, ${group.replace('_', ' ')}`, 'aria-roledescription': 'point to be moved',
      }, this.svg);
      make('circle', { class: 'hit' }, made);
      make('circle', { class: 'dot' }, made);
      made.addEventListener('focus', () => this.choose(number, false));
      return made;
    });
    this.handles = {};
    for (const [kind, label] of [['turn', 'turn the group'], ['scale', 'scale the group']]) {
      const made = make('g', { class: 'handle', role: 'button', tabindex: 0, 'data-handle': kind, 'aria-label': label }, this.svg);
      make('circle', { class: 'hit' }, made);
      make('circle', { class: 'dot' }, made);
      this.handles[kind] = made;
    }
  }

  // Show another photo with its points.
  show(source, points) {
    this.photo.src = source;
    this.labels = null;
    this.drag = null;
    this.setPoints(points);
  }

  setPoints(points) {
    this.points = points.map(([x, y]) => [x, y]);
    this.#place();
  }

  // Let the points of these numbers move together; null for each by itself.
  setTogether(numbers) {
    this.together = numbers;
    if (numbers && !numbers.includes(this.current)) this.choose(numbers[0], false);
    this.#place();
  }

  choose(number, focus = true) {
    this.current = number;
    this.dots.forEach((dot, place) => dot.setAttribute('tabindex', place === number ? 0 : -1));
    if (focus) this.dots[number].focus();
  }

  get busy() { return this.drag !== null; }

  // Draw a label map, Uint8Array of size * size.
  setMask(labels) {
    this.labels = labels;
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext('2d');
    const side = this.canvas.width;
    context.clearRect(0, 0, side, side);
    if (!this.labels || !side) return;
    const picture = new ImageData(this.size, this.size);
    const words = new Uint32Array(picture.data.buffer);
    const colors = this.regions.map(({ name, color: [r, g, b] }) => (this.hidden.has(name) ? 0 : (255 << 24) | (b << 16) | (g << 8) | r));
    for (let i = 0; i < words.length; i++) words[i] = colors[this.labels[i]];
    const small = this.small.getContext('2d');
    small.putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.globalAlpha = this.opacity;
    context.drawImage(this.small, 0, 0, side, side);
    context.globalAlpha = 1;
    if (this.outline) this.#outline(context, side / this.size);
  }

  #outline(context, scale) {
    const { labels, size } = this;
    const shown = this.regions.map(({ name }, index) => (this.hidden.has(name) ? 255 : index));
    context.beginPath();
    for (let y = 0, i = 0; y < size; y++) {
      for (let x = 0; x < size; x++, i++) {
        const own = shown[labels[i]];
        if (x + 1 < size && shown[labels[i + 1]] !== own) {
          context.moveTo((x + 1) * scale, y * scale);
          context.lineTo((x + 1) * scale, (y + 1) * scale);
        }
        if (y + 1 < size && shown[labels[i + size]] !== own) {
          context.moveTo(x * scale, (y + 1) * scale);
          context.lineTo((x + 1) * scale, (y + 1) * scale);
        }
      }
    }
    context.lineWidth = Math.max(1, devicePixelRatio);
    context.strokeStyle = 'rgba(255, 255, 255, .85)';
    context.stroke();
  }

  #resized() {
    const side = Math.round(this.root.clientWidth * devicePixelRatio);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.#place();
    this.draw();
  }

  get #unit() { return this.size / Math.max(1, this.root.clientWidth); } // grid pixels in a CSS pixel

  // Put the points where they are, or only those of these numbers: while one is dragged the others stay untouched.
  #place(moved = null) {
    if (!this.points.length) return;
    const unit = this.#unit;
    for (const { path, numbers, closed } of this.bones) {
      if (moved && !numbers.some((number) => moved.includes(number))) continue;
      path.setAttribute('d', `M${numbers.map((number) => this.points[number].join(' ')).join('L')}${closed ? 'Z' : ''}`);
    }
    this.dots.forEach((dot, number) => {
      if (moved && !moved.includes(number)) return;
      const [x, y] = this.points[number];
      this.#circles(dot, x, y, HIT * unit, DOT * unit);
      dot.classList.toggle('chosen', this.together?.includes(number) ?? false);
      dot.dataset.x = x;
      dot.dataset.y = y;
    });
    const grouped = this.together !== null;
    for (const part of [this.box, ...Object.values(this.handles)]) part.style.display = grouped ? '' : 'none';
    if (!grouped) return;
    const away = AWAY * unit;
    const { left, top, right, bottom } = this.#extent();
    for (const [key, value] of Object.entries({ x: left - away / 2, y: top - away / 2, width: right - left + away, height: bottom - top + away })) {
      this.box.setAttribute(key, value);
    }
    this.#circles(this.handles.turn, (left + right) / 2, top - 1.5 * away, HIT * unit, HANDLE * unit);
    this.#circles(this.handles.scale, right + away, bottom + away, HIT * unit, HANDLE * unit);
  }

  #circles(group, x, y, hit, dot) {
    for (const [circle, radius] of [[group.firstChild, hit], [group.lastChild, dot]]) {
      circle.setAttribute('cx', x);
      circle.setAttribute('cy', y);
      circle.setAttribute('r', radius);
    }
  }

  #extent() {
    const x = this.together.map((number) => this.points[number][0]);
    const y = this.together.map((number) => this.points[number][1]);
    return { left: Math.min(...x), right: Math.max(...x), top: Math.min(...y), bottom: Math.max(...y) };
  }

  #middle(points) {
    const numbers = this.together;
    return [0, 1].map((axis) => numbers.reduce((sum, number) => sum + points[number][axis], 0) / numbers.length);
  }

  #at(event) {
    const { left, top } = this.svg.getBoundingClientRect();
    const unit = this.#unit;
    return [(event.clientX - left) * unit - 0.5, (event.clientY - top) * unit - 0.5];
  }

  #nearest([x, y]) {
    const away = this.points.map((point) => Math.hypot(point[0] - x, point[1] - y));
    return away.indexOf(Math.min(...away));
  }

  #begin(event) {
    let target = event.target.closest?.('[data-point], [data-handle]');
    if (!target || event.button !== 0 || this.drag) return;
    if (target.dataset.point) target = this.dots[this.#nearest(this.#at(event))]; // their circles overlap
    event.preventDefault();
    target.focus();
    this.root.setPointerCapture(event.pointerId);
    const number = target.dataset.point === undefined ? null : Number(target.dataset.point);
    const numbers = number === null || this.together?.includes(number) ? this.together : [number];
    this.drag = {
      pointer: event.pointerId, numbers, handle: target.dataset.handle ?? null, from: this.#at(event),
      points: this.points.map(([x, y]) => [x, y]), moved: false, gesture: crypto.randomUUID(),
    };
  }

  #follow(event) {
    const drag = this.drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    const to = this.#at(event);
    drag.moved = true;
    if (drag.handle === null) {
      this.#apply(drag.numbers, drag.points, ([x, y]) => [x + to[0] - drag.from[0], y + to[1] - drag.from[1]]);
    } else {
      const middle = this.#middle(drag.points);
      const [ax, ay, bx, by] = [drag.from[0] - middle[0], drag.from[1] - middle[1], to[0] - middle[0], to[1] - middle[1]];
      const angle = drag.handle === 'turn' ? Math.atan2(by, bx) - Math.atan2(ay, ax) : 0;
      const growth = drag.handle === 'scale' ? Math.hypot(bx, by) / Math.max(1e-3, Math.hypot(ax, ay)) : 1;
      this.#similar(drag.points, middle, angle, growth);
    }
    this.#tell('moved', drag.gesture);
  }

  #end(event) {
    const drag = this.drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    this.drag = null;
    if (drag.moved) this.#tell('edited', drag.gesture);
  }

  #apply(numbers, before, move) {
    for (const number of numbers) this.points[number] = move(before[number]).map(round);
    this.#place(numbers);
  }

  #similar(before, [x0, y0], angle, growth) {
    const [cos, sin] = [Math.cos(angle) * growth, Math.sin(angle) * growth];
    this.#apply(this.together, before, ([x, y]) => [
      x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos,
    ]);
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    const target = event.target.closest?.('[data-point], [data-handle]');
    if (!arrow || !target || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const share = event.shiftKey ? TENTH : 1;
    if (target.dataset.handle === 'turn') this.turn(arrow[0] * share);
    else if (target.dataset.handle === 'scale') this.scale((arrow[0] - arrow[1]) * share);
    else this.move(Number(target.dataset.point), arrow[0] * STEP * share, arrow[1] * STEP * share);
  }

  // Move a point, or what it moves together with, by so many grid pixels.
  move(number, dx, dy) {
    const numbers = this.together?.includes(number) ? this.together : [number];
    this.#apply(numbers, this.points, ([x, y]) => [x + dx, y + dy]);
    this.#tell('edited', this.#gesture(`move ${numbers}`));
  }

  // Turn the group by so many degrees, scale it by so many hundredths.
  turn(degrees) { this.#around('turn', degrees * TURN, 1); }

  scale(hundredths) { this.#around('scale', 0, 1 + hundredths * GROWTH); }

  #around(what, angle, growth) {
    if (!this.together) return;
    this.#similar(this.points, this.#middle(this.points), angle, growth);
    this.#tell('edited', this.#gesture(`${what} ${this.together}`));
  }

  // Key strokes on one thing within a second are undone together.
  #gesture(key) {
    const now = performance.now();
    if (this.nudge.key !== key || now - this.nudge.at > 1000) this.nudge.gesture = crypto.randomUUID();
    Object.assign(this.nudge, { key, at: now });
    return this.nudge.gesture;
  }

  #tell(kind, gesture) { this.dispatchEvent(new CustomEvent(kind, { detail: { gesture } })); }
}
