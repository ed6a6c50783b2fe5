// The bowl and the trough. `roll`, one update and the loss in one direction, is printed by SymPy, above this.

function figure(root, data, cg) {
  const { number, colours } = cg;
  const { curvature, flat, panels } = data;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const state = { trough: false, rate: data.rate, steep: data.start[0], along: data.start[1], shown: data.updates };
  let stop = () => {};

  // All places of the ball along one direction, and its losses.
  function places(start, lambda) {
    const list = [];
    let distance = start;
    for (let i = 0; i <= data.updates; i++) {
      const [after, loss] = roll(distance, lambda, state.rate);
      list.push({ distance, loss });
      distance = after;
    }
    return list;
  }

  // ---- the controls

  cg.choice(cg.panel, {
    label: "The loss is",
    options: { bowl: "a bowl", trough: "a trough" },
    value: "bowl",
    change: (key) => {
      state.trough = key === "trough";
      state.shown = data.updates;
      stop();
      render();
    },
  });
  const most = 2.4;
  const rate = cg.slider(cg.panel, {
    label: "η",
    spoken: "learning rate",
    min: 0.02,
    max: most,
    step: 0.02,
    value: state.rate * curvature,
    show: (product) => number(product / curvature, 3),
    change: (product) => setRate(product / curvature),
  });
  const exact = cg.group(cg.panel, "Learning rates with a name");
  for (const [label, product] of [
    ["η = 0.1/λ", 0.1],
    ["η = 1/λ", 1],
    ["η = 1.9/λ", 1.9],
    ["η = 2/λ", 2],
    ["η = 2.1/λ", 2.1],
  ]) {
    cg.button(exact, label, () => setRate(product / curvature));
  }
  const start = cg.slider(cg.panel, {
    label: "start",
    spoken: "where the ball starts",
    min: -data.reach,
    max: data.reach,
    step: 0.05,
    value: state.steep,
    change: (value) => {
      state.steep = value;
      renderSoon();
    },
  });
  const going = cg.group(cg.panel, "Updates");
  cg.button(going, "Roll", roller, { class: "cg-main" });
  cg.button(going, "One update", () => {
    stop();
    state.shown = state.shown >= data.updates ? 1 : state.shown + 1;
    render();
  });
  cg.button(going, "To the start", () => {
    stop();
    state.shown = 0;
    render();
  });
  cg.button(going, "All updates", () => {
    stop();
    state.shown = data.updates;
    render();
  });
  const words = cg.add(cg.panel, "div", { class: "cg-words" });

  function setRate(value) {
    state.rate = value;
    renderSoon();
  }
  function roller() {
    stop();
    state.shown = 0;
    stop = cg.play(() => {
      state.shown += 1;
      render();
      return state.shown < data.updates;
    }, 110);
  }

  // ---- the hand on the picture

  const bowlX = cg.line([-data.reach, data.reach], panels.bowl.x);
  const deep = (curvature * data.reach ** 2) / 2;
  const bowlY = cg.line([0, deep], [panels.bowl.y[0] - 6, panels.bowl.y[1]]);
  const unit = (panels.bowl.x[1] - panels.bowl.x[0]) / (2 * data.far);
  const centre = [(panels.bowl.x[0] + panels.bowl.x[1]) / 2, (panels.bowl.y[0] + panels.bowl.y[1]) / 2];
  const tall = (panels.bowl.y[0] - panels.bowl.y[1]) / 2 / unit; // half of the trough's height, in its own units

  part.frame.setAttribute("class", "cg-drag");
  cg.drag(part.frame, cg.picture, (px, py) => {
    if (state.trough) {
      state.along = cg.clamp((px - centre[0]) / unit, -data.far, data.far);
      state.steep = cg.clamp((centre[1] - py) / unit, -data.reach, data.reach);
    } else state.steep = cg.clamp(bowlX.back(px), -data.reach, data.reach);
    renderSoon();
  });
  for (const name of ["curve", "path", "dots", "ball", "said", "contours"]) part[name].style.pointerEvents = "none";
  cg.handle(part.ball, "the ball's first place", [-data.reach, data.reach]);
  const go = (name, way, limit) => () => {
    state[name] = cg.clamp(state[name] + 0.05 * way, -limit, limit);
    render();
  };
  cg.keys(part.ball, {
    ArrowRight: () => (state.trough ? go("along", 1, data.far) : go("steep", 1, data.reach))(),
    ArrowLeft: () => (state.trough ? go("along", -1, data.far) : go("steep", -1, data.reach))(),
    ArrowUp: go("steep", 1, data.reach),
    ArrowDown: go("steep", -1, data.reach),
  });

  // ---- the picture

  const lossX = cg.line([0, data.updates], panels.loss.x),
    lossY = cg.line(data.exponents, panels.loss.y);
  function lossHeight(loss) {
    // a loss off the axis breaks the line
    const exponent = Math.log10(loss);
    return exponent < data.exponents[0] || exponent > data.exponents[1] ? NaN : lossY(exponent);
  }
  const contourLevels = [0.02, 0.08, 0.2, 0.45, 0.9].map((share) => share * deep);

  function drawContours() {
    part.contours.textContent = "";
    for (const level of contourLevels) {
      const rx = Math.sqrt((2 * level) / flat),
        ry = Math.sqrt((2 * level) / curvature),
        points = [];
      for (let i = 0; i <= 120; i++) {
        const x = rx * Math.cos((i * Math.PI) / 60),
          y = ry * Math.sin((i * Math.PI) / 60);
        const inside = Math.abs(x) <= data.far && Math.abs(y) <= tall;
        points.push(inside ? [centre[0] + unit * x, centre[1] - unit * y] : [NaN, NaN]);
      }
      cg.draw(part.contours, "path", { d: cg.path(points), fill: "none", stroke: colours.faint, "stroke-width": 0.8 });
    }
  }

  function inWords(product) {
    if (product < 1 - 1e-9) return "The ball comes down on one side.";
    if (product < 1 + 1e-9) return "One update, and the ball is at the bottom.";
    if (product < 2 - 1e-9) return "The ball swings from side to side and comes to rest.";
    if (product < 2 + 1e-9) return "The ball swings for ever, always as far.";
    return "Each update throws the ball farther out.";
  }

  function render() {
    const steep = places(state.steep, curvature),
      along = places(state.along, flat);
    const product = state.rate * curvature,
      shown = state.shown + 1;
    const losses = steep.map((one, i) => one.loss + (state.trough ? along[i].loss : 0));
    const inside = (i) => Math.abs(steep[i].distance) <= (state.trough ? tall : data.reach) + 1e-9;
    let last = 0;
    while (last + 1 < shown && inside(last + 1)) last += 1;
    const spot = (i) =>
      state.trough
        ? [centre[0] + unit * along[i].distance, centre[1] - unit * steep[i].distance]
        : [bowlX(steep[i].distance), bowlY(steep[i].loss)];
    const spots = Array.from({ length: last + 1 }, (_, i) => spot(i));

    part.curve.setAttribute("visibility", state.trough ? "hidden" : "visible");
    part.contours.setAttribute("visibility", state.trough ? "visible" : "hidden");
    part.path.setAttribute("d", cg.path(spots));
    part.dots.setAttribute(
      "d",
      spots.map(([x, y]) => `M${x - 2.5} ${y}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0`).join(""),
    );
    const [x, y] = state.shown >= data.updates ? spots[0] : spots[last];
    const first = number(state.steep, 3) + (state.trough ? ` steep, ${number(state.along, 3)} flat` : "");
    const now = cg.clamp(state.steep, -data.reach, data.reach).toFixed(6);
    cg.dress(part.ball, { cx: x, cy: y, "aria-valuenow": now, "aria-valuetext": first });
    part.up.textContent = state.trough ? "steep direction" : "loss E";
    part.along.textContent = state.trough ? "flat direction" : "distance from the bottom d";
    part.said.textContent =
      `ηλ = ${number(product, 3)}` + (state.trough ? `  and  ${number(state.rate * flat, 3)}` : "");
    part.loss.setAttribute("d", cg.path(losses.slice(0, shown).map((loss, i) => [lossX(i), lossHeight(loss)])));
    part.second.setAttribute(
      "d",
      state.trough ? cg.path(along.slice(0, shown).map((one, i) => [lossX(i), lossHeight(one.loss)])) : "",
    );

    rate.set(product);
    rate.input.setAttribute(
      "aria-valuetext",
      `${number(state.rate, 3)}, ${number(product, 3)} divided by the curvature`,
    );
    start.set(state.steep);
    words.textContent = "";
    const factors = state.trough
      ? `Each update multiplies the steep distance by ${number(1 - product, 3)} and the flat one by ${number(1 - state.rate * flat, 3)}. `
      : `Each update multiplies the distance by 1 − ηλ = ${number(1 - product, 3)}. `;
    cg.add(words, "div", {}, factors + (state.trough ? "" : inWords(product)));
    const at = Math.min(state.shown, data.updates);
    cg.add(words, "div", {}, `Loss after ${at} updates: ${number(losses[at], 3)}`);
    cg.say(words.textContent);
    Object.assign(root.cellgrad, { state, steep, along, losses });
  }

  const renderSoon = cg.once(render);
  drawContours();
  render();
}
