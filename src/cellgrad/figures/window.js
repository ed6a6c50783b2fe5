// The window: a kernel over a digit, its products, its output, and the gradient of one of its weights.

function figure(root, data, cg) {
  const { number, colours } = cg;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const n = data.side,
    side = data.panels.side;
  const [left, top] = data.panels.input,
    [right] = data.panels.output;
  const state = {
    kernel: data.kernel.flat(),
    size: data.kernel.length,
    stride: data.stride,
    padding: data.padding,
    dilation: data.dilation,
    row: data.place[0],
    column: data.place[1],
    preset: "own",
    filling: false,
    gradient: false,
    tap: 0,
  };
  let places,
    output,
    wanted,
    visited,
    stop = () => {};

  // ---- arithmetic

  const reach = () => state.dilation * (state.size - 1) + 1;
  const count = () => Math.floor((n + 2 * state.padding - reach()) / state.stride) + 1;
  function pixel(i, j) {
    // in the coordinates of the padded image
    const row = i - state.padding,
      column = j - state.padding;
    return row < 0 || column < 0 || row >= n || column >= n ? 0 : data.pixels[row * n + column];
  }
  function under(place, tap) {
    const row = Math.floor(place / places),
      column = place % places;
    const i = Math.floor(tap / state.size),
      j = tap % state.size;
    return pixel(row * state.stride + i * state.dilation, column * state.stride + j * state.dilation);
  }
  function convolve(kernel) {
    return Float64Array.from({ length: places * places }, (_, place) => {
      let sum = 0;
      for (let tap = 0; tap < kernel.length; tap++) sum += kernel[tap] * under(place, tap);
      return sum;
    });
  }

  // The loss compares this kernel's output with that of another one, pixels counted from 0 to 1.
  const miss = (place) => (output[place] - wanted[place]) / 255;
  function loss() {
    let sum = 0;
    for (let place = 0; place < output.length; place++) sum += miss(place) ** 2;
    return sum / 2 / output.length;
  }
  const share = (place, tap) => (miss(place) * under(place, tap)) / 255 / output.length;
  function slope(tap) {
    let sum = 0;
    for (let place = 0; place < output.length; place++) sum += share(place, tap);
    return sum;
  }

  const presets = {
    upright: ["upright edges", (i, j, k) => ((k - 1 - 2 * j) / (k % 2 ? 2 : 1)) * (1 + Math.min(i, k - 1 - i))],
    level: ["level edges", (i, j, k) => ((k - 1 - 2 * i) / (k % 2 ? 2 : 1)) * (1 + Math.min(j, k - 1 - j))],
    average: ["average", (i, j, k) => 1 / (k * k)],
    dot: ["dots", (i, j, k) => (i === k >> 1 && j === k >> 1 ? k * k - 1 : -1)],
    copy: ["copy", (i, j, k) => Number(i === k >> 1 && j === k >> 1)],
    zero: ["all zero", () => 0],
  };
  const made = (name, k) =>
    Array.from({ length: k * k }, (_, tap) => presets[name][1](Math.floor(tap / k), tap % k, k));

  // ---- what changes the state

  function reshape(setting, value) {
    const before = { ...state };
    state[setting] = value;
    if (count() < 1) {
      // it does not fit: say so and stay
      state[setting] = before[setting];
      sliders[setting].set(before[setting]);
      cg.say("The window would be wider than the image.");
      return;
    }
    if (setting === "size") {
      const old = before.size,
        shift = (old >> 1) - (value >> 1);
      state.kernel =
        state.preset !== "own"
          ? made(state.preset, value)
          : Array.from({ length: value * value }, (_, tap) => {
              const i = Math.floor(tap / value) + shift,
                j = (tap % value) + shift;
              return i >= 0 && j >= 0 && i < old && j < old ? before.kernel[i * old + j] : 0;
            });
      state.tap = 0;
      buildWeights();
      buildTables();
    }
    slideAnew();
  }
  function slideAnew() {
    places = count();
    state.row = Math.min(state.row, places - 1);
    state.column = Math.min(state.column, places - 1);
    visited = new Uint8Array(places * places);
    wanted = convolve(made("upright", state.size));
    resize();
    compute();
  }
  function compute() {
    output = convolve(state.kernel);
    renderSoon();
  }
  function setKernel(kernel, preset) {
    Object.assign(state, { kernel, preset });
    for (const [tap, input] of weightInputs.entries()) input.set(Number(kernel[tap].toPrecision(6)));
    presetSelect.set(preset);
    compute();
  }
  function moveTo(row, column) {
    const to = [cg.clamp(row, 0, places - 1), cg.clamp(column, 0, places - 1)];
    [state.row, state.column] = to;
    renderSoon();
  }
  function descend(steps) {
    for (let i = 0; i < steps; i++) {
      output = convolve(state.kernel);
      const slopes = state.kernel.map((_, tap) => slope(tap));
      state.kernel = state.kernel.map((weight, tap) => weight - slopes[tap]); // learning rate 1
    }
    setKernel(state.kernel, "own");
  }

  // ---- the controls

  const moves = cg.group(cg.panel, "The output");
  cg.button(
    moves,
    "Scan all places",
    () => {
      stop();
      visited.fill(0);
      fillTick.set(true);
      state.filling = true;
      let row = -1;
      stop = cg.play(() => {
        row += 1;
        for (let column = 0; column < places; column++) visited[row * places + column] = 1;
        Object.assign(state, { row, column: places - 1 });
        render();
        return row < places - 1;
      }, 70);
    },
    { class: "cg-main" },
  );
  const fillTick = cg.tick(moves, {
    label: "only where the window has been",
    value: false,
    change: (on) => {
      stop();
      state.filling = on;
      visited.fill(0);
      render();
    },
  });
  const presetSelect = cg.select(cg.panel, {
    label: "Kernel",
    options: { own: "your own", ...Object.fromEntries(Object.entries(presets).map(([key, [words]]) => [key, words])) },
    value: "own",
    change: (key) => key !== "own" && setKernel(made(key, state.size), key),
  });
  const weightBox = cg.group(cg.panel, "Weights", "cg-weights");
  let weightInputs = [];
  function buildWeights() {
    weightBox.textContent = "";
    weightBox.style.display = "grid";
    weightBox.style.gridTemplateColumns = `repeat(${state.size}, minmax(0, 3.6rem))`;
    weightInputs = state.kernel.map((weight, tap) =>
      cg.numeral(weightBox, {
        label: `weight in row ${Math.floor(tap / state.size) + 1}, column ${(tap % state.size) + 1}`,
        value: Number(weight.toPrecision(6)),
        change: (value) => {
          state.kernel[tap] = value;
          state.preset = "own";
          presetSelect.set("own");
          compute();
        },
      }),
    );
  }
  const sliders = {};
  const box = cg.add(cg.panel, "div", { role: "group", "aria-label": "How the window moves" });
  for (const [setting, label, least] of [
    ["size", "kernel size", 1],
    ["stride", "stride", 1],
    ["padding", "padding", 0],
    ["dilation", "dilation", 1],
  ]) {
    sliders[setting] = cg.slider(box, {
      label,
      min: least,
      max: data.largest[setting === "size" ? "kernel" : setting],
      step: 1,
      value: state[setting],
      spell: (value) => (setting === "size" ? `${value} by ${value} pixels` : `${value} ${value === 1 ? "pixel" : "pixels"}`),
      change: (value) => reshape(setting, value),
    });
  }
  cg.choice(cg.panel, {
    label: "Show",
    options: { output: "the output", gradient: "the gradient of one weight" },
    value: "output",
    change: (key) => {
      state.gradient = key === "gradient";
      learning.hidden = !state.gradient;
      render();
    },
  });
  const learning = cg.group(cg.panel, "Learning");
  const tapSelect = cg.select(learning, {
    label: "Weight",
    options: {},
    value: "",
    change: (tap) => {
      state.tap = Number(tap);
      render();
    },
  });
  cg.button(learning, "One step downhill", () => descend(1));
  cg.button(learning, "100 steps", () => descend(100));
  learning.hidden = true;
  const words = cg.add(cg.panel, "div", { class: "cg-words" });

  // ---- the hand on the picture

  part.input.setAttribute("class", "cg-cross");
  part.output.setAttribute("class", "cg-cross");
  for (const name of ["digit", "edge", "window", "answers", "mark"]) part[name].style.pointerEvents = "none";
  cg.drag(part.input, cg.picture, (px, py) => {
    const cell = side / (n + 2 * state.padding),
      place = (at) => Math.round((at / cell - reach() / 2) / state.stride);
    moveTo(place(py - top), place(px - left));
  });
  cg.drag(part.output, cg.picture, (px, py) => {
    moveTo(Math.floor(((py - top) / side) * places), Math.floor(((px - right) / side) * places));
  });
  cg.dress(part.window, { role: "application", "aria-roledescription": "window on the digit, moved by arrow keys" });
  const far = (shift) => (shift ? 5 : 1);
  cg.keys(part.window, {
    ArrowLeft: (shift) => moveTo(state.row, state.column - far(shift)),
    ArrowRight: (shift) => moveTo(state.row, state.column + far(shift)),
    ArrowUp: (shift) => moveTo(state.row - far(shift), state.column),
    ArrowDown: (shift) => moveTo(state.row + far(shift), state.column),
    Home: () => moveTo(state.row, 0),
    End: () => moveTo(state.row, places - 1),
    PageUp: () => moveTo(0, state.column),
    PageDown: () => moveTo(places - 1, state.column),
  });

  // ---- the picture

  part.answers.textContent = ""; // the still picture's
  const answers = cg.squares(part.output, { up: "red", down: "blue" });
  let taps = [],
    cells = [];
  function resize() {
    const cell = side / (n + 2 * state.padding),
      inset = state.padding * cell,
      inner = side - 2 * inset;
    for (const name of ["digit", "edge"])
      cg.dress(part[name], { x: left + inset, y: top + inset, width: inner, height: inner });
    for (const square of taps) cg.dress(square, { width: cell, height: cell });
    cg.dress(part.mark, { width: side / places, height: side / places });
  }
  function buildTables() {
    part.window.textContent = part.tables.textContent = "";
    taps = state.kernel.map(() =>
      cg.draw(part.window, "rect", { fill: "none", stroke: colours.green, "stroke-width": 1.4 }),
    );
    const { lefts, side: wide, top: high } = data.tables,
      step = wide / state.size;
    const letters = state.size > 3 ? 7.5 : 11;
    cells = lefts.map((x0, table) =>
      state.kernel.map((_, tap) => {
        const x = x0 + step * (tap % state.size),
          y = high + step * Math.floor(tap / state.size);
        cg.draw(part.tables, "rect", { x, y, width: step, height: step, fill: "none", stroke: colours.line });
        return cg.draw(part.tables, "text", {
          x: x + step / 2,
          y: y + step / 2 + letters * 0.36,
          "text-anchor": "middle",
          "font-size": letters,
          fill: [colours.ink, colours.green, colours.red][table],
        });
      }),
    );
    tapSelect.input.textContent = "";
    for (let tap = 0; tap < state.kernel.length; tap++) {
      cg.add(
        tapSelect.input,
        "option",
        { value: tap },
        `row ${Math.floor(tap / state.size) + 1}, column ${(tap % state.size) + 1}`,
      );
    }
    tapSelect.set(state.tap);
  }

  function render() {
    const here = state.row * places + state.column;
    visited[here] = 1;
    const cell = side / (n + 2 * state.padding),
      answer = side / places;
    for (const [tap, square] of taps.entries()) {
      const i = state.row * state.stride + Math.floor(tap / state.size) * state.dilation;
      const j = state.column * state.stride + (tap % state.size) * state.dilation;
      cg.dress(square, {
        x: left + cell * j,
        y: top + cell * i,
        "stroke-width": state.gradient && tap === state.tap ? 3 : 1.4,
      });
    }
    cg.dress(part.mark, { x: right + answer * state.column, y: top + answer * state.row });

    const shown = state.gradient ? output.map((_, place) => share(place, state.tap)) : output;
    let largest = 0;
    for (const value of shown) largest = Math.max(largest, Math.abs(value));
    let gathered = 0;
    const painted = new Float64Array(shown.length);
    for (let place = 0; place < shown.length; place++) {
      if (state.filling && !visited[place]) continue;
      gathered += shown[place];
      painted[place] = shown[place];
    }
    answers.paint(painted, places, largest);

    const pixels = state.kernel.map((_, tap) => under(here, tap));
    for (let tap = 0; tap < pixels.length; tap++) {
      const asked = state.gradient && tap !== state.tap ? 0.3 : 1;
      const trio = state.gradient
        ? [number(pixels[tap] / 255, 3), number(miss(here), 3), number(share(here, tap), 2)]
        : [number(pixels[tap]), number(state.kernel[tap], 3), number(pixels[tap] * state.kernel[tap])];
      trio.forEach((value, table) => cg.dress(cells[table][tap], { opacity: asked }, value));
    }
    part.head0.textContent = state.gradient ? "pixels, from 0 to 1" : "pixels";
    part.head1.textContent = state.gradient ? "times what is missed" : "times weights";
    part.head2.textContent = state.gradient ? `divided by ${places * places}` : "are products";
    part["above-input"].textContent = `input, ${n} × ${n}${state.padding ? ` and padding of ${state.padding}` : ""}`;
    part["above-output"].textContent = state.gradient
      ? "what each place adds to ∂E/∂w"
      : `output, ${places} × ${places}`;

    words.textContent = "";
    const where = `row ${state.row + 1}, column ${state.column + 1}`;
    if (state.gradient) {
      part.sum.textContent = `∂E/∂w, ${state.filling ? "gathered so far" : "over all places"}: ${number(gathered, 5)}`;
      cg.add(words, "div", {}, `The loss compares the output with that of “upright edges”: E = ${number(loss(), 4)}`);
      cg.add(words, "div", {}, `This place adds ${number(share(here, state.tap), 3)} to the weight's derivative.`);
    } else {
      part.sum.textContent = `their sum: ${number(output[here], 6)}`;
      cg.add(words, "div", {}, `At ${where} the products add up to ${number(output[here], 6)}.`);
      cg.add(
        words,
        "div",
        {},
        `(${n} + 2·${state.padding} − ${reach()}) / ${state.stride}, rounded down, + 1 = ${places} places each way`,
      );
    }
    part.window.setAttribute("aria-label", `window at ${where}`);
    cg.say(`${where}: ${part.sum.textContent}`);
    Object.assign(root.cellgrad, { state, places, output: [...output], sum: output[here], loss: loss(), gathered });
  }

  const renderSoon = cg.once(render);
  root.cellgrad.slopes = () => state.kernel.map((_, tap) => slope(tap));
  buildWeights();
  buildTables();
  slideAnew();
  render();
}
