// The field: a layer list, what its units see, what it costs. `step`, the recurrence, is printed from Python, above this.

function figure(root, data, cg) {
  const { number, colours } = cg;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const {
    square,
    side,
    margin,
    top,
    row: rowHeight,
    dots: [dotsLeft, dotsRight],
    beside,
  } = data.panels;
  const [inputChannels, height, width] = data.input;
  const pair = (extent) => (Array.isArray(extent) ? extent : [extent, extent]);
  const product = (list) => list.reduce((one, other) => one * other, 1);
  const defaults = {
    channels: 0,
    kernel: 1,
    stride: 1,
    padding: 0,
    dilation: 1,
    groups: 1,
    bias: false,
    probability: 0,
    name: "",
  };
  const kinds = [
    "conv",
    "max_pool",
    "avg_pool",
    "global_avg_pool",
    "pixel_unshuffle",
    "relu",
    "batch_norm",
    "dropout",
    "flatten",
    "linear",
  ];
  const windowed = ["conv", "max_pool", "avg_pool"];

  // ---- arithmetic: what cellgrad.layers and cellgrad.receptive say of a layer list

  class Unfit extends Error {}
  const written = (size) => `(${size.join(", ")}${size.length === 1 ? "," : ""})`;
  function needsImage(layer, size) {
    if (size.length !== 3) {
      throw new Unfit(
        `${layer.name}: works on channels, height and width, but its input has the size ${written(size)}; ` +
          "give input_size as three numbers, and put it before flatten",
      );
    }
    return size;
  }
  function slidden(layer, size) {
    const [channels, ...pixels] = needsImage(layer, size);
    const places = pixels.map((n, axis) => {
      const [kernel, stride, padding, dilation] = ["kernel", "stride", "padding", "dilation"].map(
        (name) => pair(layer[name])[axis],
      );
      const reach = dilation * (kernel - 1) + 1;
      if (reach > n + 2 * padding) {
        throw new Unfit(
          `${layer.name}: its window is ${reach} pixels wide, but its input with padding is only ${n + 2 * padding}; ` +
            "use a smaller kernel, more padding or fewer layers before it",
        );
      }
      return Math.floor((n + 2 * padding - reach) / stride) + 1;
    });
    return [layer.channels || channels, ...places];
  }
  function pooled(layer, size) {
    if ([0, 1].some((axis) => 2 * pair(layer.padding)[axis] > pair(layer.kernel)[axis])) {
      throw new Unfit(
        `${layer.name}: padding ${pythonic(layer.padding)} is more than half of kernel ${pythonic(layer.kernel)}`,
      );
    }
    if (layer.kind === "avg_pool" && pair(layer.dilation).some((one) => one !== 1)) {
      throw new Unfit(`${layer.name}: an average pool has no dilation, got ${pythonic(layer.dilation)}; give 1`);
    }
    return slidden(layer, size);
  }
  const outputSize = {
    conv(layer, size) {
      if (size[0] % layer.groups || layer.channels % layer.groups) {
        throw new Unfit(
          `${layer.name}: ${layer.groups} groups do not divide ${size[0]} input and ${layer.channels} output channels; ` +
            "choose a number of groups that divides both",
        );
      }
      return slidden(layer, size);
    },
    max_pool: pooled,
    avg_pool: pooled,
    global_avg_pool: (layer, size) => [needsImage(layer, size)[0], 1, 1],
    pixel_unshuffle(layer, size) {
      const [channels, high, wide] = needsImage(layer, size),
        block = layer.kernel;
      if (layer.kernel !== layer.stride || high % block || wide % block) {
        throw new Unfit(
          `${layer.name}: ${high}×${wide} pixels cannot be cut into blocks of ${block}×${block}; pad or pool before it`,
        );
      }
      return [channels * block ** 2, high / block, wide / block];
    },
    relu: (layer, size) => size,
    batch_norm: needsImage,
    dropout: (layer, size) => size,
    flatten: (layer, size) => [product(size)],
    linear(layer, size) {
      if (size.length !== 1) {
        throw new Unfit(
          `${layer.name}: takes a list of numbers, but its input has the size ${written(size)}; put flatten before it`,
        );
      }
      return [layer.channels];
    },
  };
  function learned(layer, size) {
    // weights, biases, batch norm's
    if (layer.kind === "conv") {
      return [
        layer.channels * Math.floor(size[0] / layer.groups) * product(pair(layer.kernel)),
        layer.channels * layer.bias,
        0,
      ];
    }
    if (layer.kind === "linear") return [layer.channels * product(size), layer.channels * layer.bias, 0];
    return [0, 0, layer.kind === "batch_norm" ? 2 * size[0] : 0];
  }
  function windowOf(layer, size) {
    // what slides no window has a kernel of 1
    const pixels = size.length > 1 ? size.slice(1) : [1, 1];
    const window = Object.fromEntries(
      ["kernel", "stride", "padding", "dilation"].map((name) => [name, pair(layer[name])]),
    );
    if (layer.kind === "global_avg_pool") return { ...window, kernel: pixels, stride: pixels };
    return layer.kind === "flatten" || layer.kind === "linear" ? { ...window, kernel: pixels } : window;
  }
  function named(layers) {
    const seen = {};
    return layers.map((layer) => {
      const prefix = layer.kind.replace(/^(max|avg)_/, "");
      seen[prefix] = (seen[prefix] || 0) + 1;
      return { ...layer, name: layer.name || `${prefix}${seen[prefix]}` };
    });
  }
  // A row for each layer, as far as they fit; and which one does not, and why.
  function table(layers) {
    const rows = [];
    let size = [...data.input],
      axes = [
        [1, 1, 0.5],
        [1, 1, 0.5],
      ],
      problem = null;
    for (const [index, layer] of named(layers).entries()) {
      try {
        const output = outputSize[layer.kind](layer, size),
          window = windowOf(layer, size);
        axes = axes.map((axis, a) =>
          step(...axis, ...["kernel", "stride", "padding", "dilation"].map((name) => window[name][a])),
        );
        const parts = learned(layer, size);
        rows.push({
          name: layer.name,
          kind: layer.kind,
          window,
          input: size,
          output,
          parameters: parts[0] + parts[1] + parts[2],
          multiplications: parts[0] * product(output.slice(1)),
          size: axes.map((one) => one[0]),
          jump: axes.map((one) => one[1]),
          start: axes.map((one) => one[2]),
        });
        size = output;
      } catch (error) {
        if (!(error instanceof Unfit)) throw error;
        problem = { index, message: error.message };
        break;
      }
    }
    return { rows, problem };
  }

  // ---- the list as Python writes it

  const pythonic = (value) =>
    Array.isArray(value)
      ? `(${value.join(", ")})`
      : value === true
        ? "True"
        : value === false
          ? "False"
          : String(value);
  function options(layer, names) {
    const given = names.filter((name) => pythonic(layer[name]) !== pythonic(defaults[name]));
    return given
      .map((name) => `, ${name}=${name === "name" ? JSON.stringify(layer.name) : pythonic(layer[name])}`)
      .join("");
  }
  function inPython(layer) {
    if (layer.kind === "conv")
      return `conv(${layer.channels}, ${pythonic(layer.kernel)}${options(layer, ["stride", "padding", "dilation", "groups", "bias", "name"])})`;
    if (layer.kind === "max_pool" || layer.kind === "avg_pool") {
      const stride = pythonic(layer.stride) === pythonic(layer.kernel) ? "" : `, ${pythonic(layer.stride)}`;
      return `${layer.kind}(${pythonic(layer.kernel)}${stride}${options(layer, ["padding", "dilation", "name"])})`;
    }
    if (layer.kind === "pixel_unshuffle") return `pixel_unshuffle(${layer.kernel}${options(layer, ["name"])})`;
    if (layer.kind === "dropout") return `dropout(${layer.probability})`;
    if (layer.kind === "linear")
      return `linear(${layer.channels}${layer.bias ? "" : ", bias=False"}${options(layer, ["name"])})`;
    return layer.name ? `Layer("${layer.kind}"${options(layer, ["name"])})` : layer.kind;
  }
  const listInPython = () => `layers = (\n${state.layers.map((layer) => `    ${inPython(layer)},\n`).join("")})`;

  // ---- state

  const state = { layers: [], level: 0, row: 0, column: 0, effective: false };
  let found,
    levels = [];
  function load(layers) {
    state.layers = layers.map((layer) => ({ ...defaults, ...layer }));
    refresh();
  }
  function refresh(editor = true) {
    found = table(state.layers);
    const input = { name: "input", output: data.input, size: [1, 1], jump: [1, 1], start: [0.5, 0.5], window: null };
    levels = [input, ...found.rows.filter((one) => !data.hidden.includes(one.kind))];
    state.level = Math.min(state.level, levels.length - 1);
    if (editor) buildEditor();
    fillEditor();
    buildDots();
    renderCosts();
    pointAt(state.level, state.row, state.column);
    renderSoon(); // the same unit may see something else now
  }
  const places = (level, axis) => (levels[level].output.length > 1 ? levels[level].output[1 + axis] : 1);
  function pointAt(level, row, column) {
    const before = [state.level, state.row, state.column];
    state.level = cg.clamp(level, 0, levels.length - 1);
    state.row = cg.clamp(row, 0, places(state.level, 0) - 1);
    state.column = cg.clamp(column, 0, places(state.level, 1) - 1);
    if (String(before) !== String([state.level, state.row, state.column])) renderSoon();
  }
  const nearest = (level, axis, at) => Math.round((at - levels[level].start[axis]) / levels[level].jump[axis]);
  const centre = (level, axis, unit) => levels[level].start[axis] + unit * levels[level].jump[axis];
  function changeLevel(way) {
    // to the unit of the other layer that stands over the same place
    const to = cg.clamp(state.level + way, 0, levels.length - 1);
    pointAt(
      to,
      nearest(to, 0, centre(state.level, 0, state.row)),
      nearest(to, 1, centre(state.level, 1, state.column)),
    );
  }

  // ---- the controls

  cg.choice(cg.panel, {
    label: "On the digit",
    options: { theory: "all pixels that can matter", random: "how much they do, with random weights" },
    value: "theory",
    change: (key) => {
      state.effective = key === "random";
      render();
    },
  });
  const words = cg.add(cg.panel, "div", { class: "cg-words" });
  const adding = cg.group(cg.panel, "Add a layer at the end");
  const block = { kind: "conv", channels: 16, kernel: 3 };
  for (const [label, layers] of [
    ["+ convolution", [block, { kind: "relu" }, { kind: "batch_norm" }]],
    ["+ max-pool", [{ kind: "max_pool", kernel: 2, stride: 2 }]],
    ["+ scores", [{ kind: "conv", channels: 10, name: "scores" }, { kind: "flatten" }]],
  ])
    cg.button(adding, label, () => load([...state.layers, ...layers]));
  const whole = cg.group(cg.panel, "The whole list");
  cg.button(whole, "Empty", () => load([]));
  cg.button(whole, "As it was", () => load(data.layers));
  cg.button(whole, "Copy as Python", copy, { class: "cg-main" });
  const code = cg.add(cg.panel, "textarea", {
    rows: "4",
    readonly: "",
    "aria-label": "The layer list in Python",
    class: "cg-code",
  });

  async function copy() {
    code.value = listInPython();
    code.select();
    let done = false;
    try {
      // a sandboxed frame may not; then the text stands selected, to be copied by hand
      await navigator.clipboard.writeText(code.value);
      done = true;
    } catch {
      done = false;
    }
    cg.say(done ? "The layer list is copied." : "The layer list is selected below.");
  }

  const scroll = cg.add(root, "div", {
    class: "cg-scroll cg-tall",
    tabindex: "0",
    role: "region",
    "aria-label": "The layers",
  });
  root.insertBefore(scroll, cg.find(".cg-said"));
  const sheet = cg.add(scroll, "table");
  const head = cg.add(cg.add(sheet, "thead"), "tr");
  const columns = [
    "layer",
    "kind",
    "channels",
    "kernel",
    "stride",
    "padding",
    "dilation",
    "size",
    "sees",
    "jump",
    "parameters",
    "multiplications",
    "",
    "",
  ];
  for (const name of columns) cg.add(head, name ? "th" : "td", name ? { scope: "col" } : {}, name);
  const body = cg.add(sheet, "tbody");
  let cells = [];

  // The box of the table ends below a whole row, however high the rows are here.
  new ResizeObserver(() => {
    const last = [...body.rows].slice(0, 9).pop();
    const bar = scroll.offsetHeight - scroll.clientHeight;
    scroll.style.maxHeight = last ? `${last.offsetTop + last.offsetHeight + bar}px` : "";
  }).observe(sheet);

  const asText = (extent) => (Array.isArray(extent) ? extent.join("×") : String(extent));
  function parsed(text, least) {
    const numbers = text.split(/[×x,]/).map((one) => Number(one.trim()));
    if (!text.trim() || numbers.length > 2 || numbers.some((one) => !Number.isInteger(one) || one < least)) return null;
    return numbers.length === 1 || numbers[0] === numbers[1] ? numbers[0] : numbers;
  }
  function buildEditor() {
    body.textContent = "";
    cells = state.layers.map((layer, index) => {
      const line = cg.add(body, "tr"),
        name = cg.add(line, "th", { scope: "row" });
      const kind = cg.add(cg.add(line, "td"), "select", { "aria-label": `kind of layer ${index + 1}` });
      for (const one of kinds) cg.add(kind, "option", { value: one }, one);
      kind.value = layer.kind;
      kind.addEventListener("change", () => {
        const start = {
          conv: { channels: 16, kernel: 3 },
          max_pool: { kernel: 2, stride: 2 },
          avg_pool: { kernel: 2, stride: 2 },
          pixel_unshuffle: { kernel: 2, stride: 2 },
          linear: { channels: 10, bias: true },
          dropout: { probability: 0.1 },
        };
        state.layers[index] = { ...defaults, kind: kind.value, ...start[kind.value] };
        refresh();
      });
      for (const setting of ["channels", "kernel", "stride", "padding", "dilation"]) {
        const cell = cg.add(line, "td");
        const has =
          setting === "channels"
            ? ["conv", "linear"].includes(layer.kind)
            : windowed.includes(layer.kind) || (layer.kind === "pixel_unshuffle" && setting === "kernel");
        if (!has) continue;
        const least = setting === "padding" ? 0 : 1;
        const input = cg.add(cell, "input", {
          type: "text",
          inputmode: "numeric",
          class: "cg-numeral",
          "aria-label": `${setting} of layer ${index + 1}`,
        });
        input.value = asText(layer[setting]);
        input.addEventListener("input", () => {
          const value = parsed(input.value, least);
          const whole_ = setting === "channels" || layer.kind === "pixel_unshuffle";
          input.setAttribute("aria-invalid", String(value === null || (whole_ && Array.isArray(value))));
          if (input.getAttribute("aria-invalid") === "true") return;
          // a depthwise convolution stays one
          if (setting === "channels" && layer.groups > 1 && layer.groups === layer.channels) layer.groups = value;
          layer[setting] = value;
          if (layer.kind === "pixel_unshuffle") layer.stride = value;
          refresh(false);
        });
      }
      const results = ["size", "sees", "jump", "parameters", "multiplications"].map(() => cg.add(line, "td"));
      cg.button(
        cg.add(line, "td"),
        "copy",
        () => {
          state.layers.splice(index, 0, { ...layer, name: "" });
          refresh();
        },
        { "aria-label": `insert a copy of layer ${index + 1}` },
      );
      cg.button(
        cg.add(line, "td"),
        "×",
        () => {
          state.layers.splice(index, 1);
          refresh();
        },
        { "aria-label": `remove layer ${index + 1}` },
      );
      return { line, name, results };
    });
  }
  function fillEditor() {
    const names = named(state.layers);
    for (const [index, { line, name, results }] of cells.entries()) {
      const row = found.rows[index];
      name.textContent = names[index].name;
      const texts = row
        ? [
            row.output.join("×"),
            asText(same(row.size)),
            asText(same(row.jump)),
            cg.grouped(row.parameters),
            cg.grouped(row.multiplications),
          ]
        : ["–", "–", "–", "–", "–"];
      texts.forEach((text, place) => {
        results[place].textContent = text;
      });
      line.style.color = found.problem && index >= found.problem.index ? "var(--red)" : "";
    }
    code.value = listInPython();
  }
  const same = ([one, other]) => (one === other ? one : [one, other]);

  // ---- the picture

  const pixel = side / (Math.max(height, width) + 2 * margin);
  const left = square[0] + margin * pixel,
    upper = square[1] + margin * pixel;
  const across = (dotsRight - dotsLeft) / (width + 2 * beside);
  const dotX = (at) => dotsLeft + (beside + at) * across;
  const dotY = (level) => top + rowHeight * (levels.length - 1 - level);
  const fieldBox = cg.draw(part.field, "rect", { fill: "none", stroke: colours.red, "stroke-width": 2 });
  const neighbourBox = cg.draw(part.neighbour, "rect", {
    fill: "none",
    stroke: colours.orange,
    "stroke-width": 1.4,
    "stroke-dasharray": "3 2",
  });
  part.field.firstElementChild.remove();
  part.neighbour.firstElementChild.remove();
  const strengths = cg.squares(part.digit, { up: "red" });
  part.square.setAttribute("fill-opacity", 0); // they lie behind it
  const spread = cg.draw(part.spread, "ellipse", { fill: "none", stroke: colours.purple, "stroke-width": 1.4 });

  function buildDots() {
    const bottom = dotY(0) + 22;
    cg.picture.setAttribute("viewBox", `0 0 400 ${bottom}`);
    cg.find(".cg-ground").setAttribute("height", bottom);
    part.plate.setAttribute("height", bottom - top);
    part.dots.setAttribute(
      "d",
      levels
        .map((level, l) =>
          Array.from(
            { length: places(l, 1) },
            (_, i) => `M${dotX(centre(l, 1, i)) - 2} ${dotY(l)}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0`,
          ).join(""),
        )
        .join(""),
    );
    part.names.textContent = "";
    levels.forEach((level, l) =>
      cg.draw(part.names, "text", { x: 4, y: dotY(l) + 3, "font-size": 9, fill: colours.ink }, level.name),
    );
  }

  // The units of the layer below that one unit is made of, along one axis.
  function inputs(level, unit, axis) {
    const { kernel, stride, padding, dilation } = levels[level].window,
      count = places(level - 1, axis),
      list = [];
    for (let t = 0; t < kernel[axis]; t++) {
      const below = unit * stride[axis] - padding[axis] + dilation[axis] * t;
      if (below >= 0 && below < count) list.push(below);
    }
    return list;
  }

  // How many paths lead from each place of the input to one unit, along one axis; and their mean and deviation.
  function pathsTo(level, unit, axis) {
    let counts = Float64Array.from({ length: places(level, axis) }, (_, i) => Number(i === unit));
    for (let l = level; l > 0; l--) {
      const below = new Float64Array(places(l - 1, axis));
      counts.forEach((count, i) => {
        if (count) for (const j of inputs(l, i, axis)) below[j] += count;
      });
      counts = below;
    }
    let all = 0,
      mean = 0,
      variance = 0;
    counts.forEach((count, i) => {
      all += count;
      mean += count * (i + 0.5);
    });
    mean /= all;
    counts.forEach((count, i) => {
      variance += (count * (i + 0.5 - mean) ** 2) / all;
    });
    return { counts, mean, sigma: Math.sqrt(variance) };
  }

  // Lines from a unit to all that it is made of, layer by layer.
  function lines(level, column) {
    let path = "",
      lit = new Set([column]);
    for (let l = level; l > 0; l--) {
      const below = new Set();
      for (const i of lit)
        for (const j of inputs(l, i, 1)) {
          below.add(j);
          path += `M${dotX(centre(l, 1, i)).toFixed(1)} ${dotY(l)}L${dotX(centre(l - 1, 1, j)).toFixed(1)} ${dotY(l - 1)}`;
        }
      lit = below;
    }
    return path;
  }

  // Squared derivatives by the pixels, on average over random weights: each path's is the product of its weights'
  // variances, and they add up. So they are to one another as the numbers of paths.
  function renderStrengths() {
    cg.dress(part.spread, { visibility: state.effective ? "visible" : "hidden" });
    cg.dress(part.digit, { opacity: state.effective ? 0.3 : 1 });
    if (!state.effective) return strengths.paint([], 1, 1);
    const down = pathsTo(state.level, state.row, 0),
      along = pathsTo(state.level, state.column, 1),
      product = new Float64Array(height * width);
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) product[i * width + j] = down.counts[i] * along.counts[j];
    strengths.paint(product, width, Math.max(...down.counts) * Math.max(...along.counts));
    const ring = { cx: left + along.mean * pixel, cy: upper + down.mean * pixel };
    cg.dress(spread, { ...ring, rx: 2 * along.sigma * pixel, ry: 2 * down.sigma * pixel });
    cg.put(part.said3, `σ = ${number(down.sigma, 3)} × ${number(along.sigma, 3)} pixels`);
    Object.assign(root.cellgrad, { down, along });
  }

  function render() {
    const { level, row, column } = state,
      layer = levels[level];
    const sees = (shift) => {
      const y = centre(level, 0, row) - layer.size[0] / 2,
        x = centre(level, 1, column + shift) - layer.size[1] / 2;
      return { x: left + x * pixel, y: upper + y * pixel, width: layer.size[1] * pixel, height: layer.size[0] * pixel };
    };
    const shift = column + 1 < places(level, 1) ? 1 : -1,
      alone = places(level, 1) < 2;
    cg.dress(fieldBox, sees(0));
    cg.dress(neighbourBox, { ...sees(shift), visibility: alone ? "hidden" : "visible" });
    cg.dress(part.paths, { d: lines(level, column) });
    cg.dress(part.unit, { cx: dotX(centre(level, 1, column)), cy: dotY(level) });

    const unit = `${layer.name}, row ${row + 1}, column ${column + 1}`,
      seen = `sees ${number(layer.size[0])} × ${number(layer.size[1])} pixels`,
      over = layer.size[0] > height || layer.size[1] > width;
    cg.put(part.said0, unit);
    cg.put(part.said1, seen);
    cg.put(part.said2, alone ? "it has no neighbour" : `its neighbour: ${number(layer.jump[1])} further`);
    cg.put(part.said3, over ? "more than the whole digit" : "");
    renderStrengths();
    cg.dress(part.plate, { "aria-label": `${unit}, ${seen}` });
    cg.say(found.problem ? words.textContent : `${unit}: ${seen}${state.effective ? `, ${part.said3.textContent}` : ""}`);
    Object.assign(root.cellgrad, { state, levels });
  }

  // What the whole list costs, and whether it fits.
  function renderCosts() {
    const parameters = found.rows.reduce((sum, one) => sum + one.parameters, 0),
      multiplications = found.rows.reduce((sum, one) => sum + one.multiplications, 0),
      left = data.budget - parameters;
    cg.put(part.parameters, `${cg.grouped(parameters)} parameters`);
    cg.put(part.multiplications, `${cg.grouped(multiplications)} multiplications`);
    cg.dress(part.bar, {
      width: (392 - Number(part.bar.getAttribute("x"))) * Math.min(parameters / data.budget, 1),
      fill: left < 0 ? colours.red : colours.blue,
    });
    if (found.problem) cg.put(words, `This does not fit. ${found.problem.message}.`);
    else if (left < 0) cg.put(words, `${cg.grouped(-left)} parameters too many.`);
    else cg.put(words, `Everything fits: ${cg.grouped(left)} of ${cg.grouped(data.budget)} parameters are left.`);
    Object.assign(root.cellgrad, { parameters, multiplications, problem: found.problem });
  }

  // ---- the hand on the picture

  for (const name of ["dots", "paths", "unit", "names", "digit", "spread", "field", "neighbour"])
    part[name].style.pointerEvents = "none";
  cg.dress(part.plate, { class: "cg-cross", role: "application", "aria-roledescription": "units, chosen by arrow keys" });
  cg.dress(part.square, { class: "cg-cross" });
  cg.drag(
    part.plate,
    cg.picture,
    (px, py) => {
      const level = cg.clamp(levels.length - 1 - Math.round((py - top) / rowHeight), 0, levels.length - 1);
      const row = level === state.level ? state.row : nearest(level, 0, centre(state.level, 0, state.row));
      pointAt(level, row, nearest(level, 1, (px - dotsLeft) / across - beside));
    },
    true,
  );
  cg.drag(
    part.square,
    cg.picture,
    (px, py) => {
      pointAt(state.level, nearest(state.level, 0, (py - upper) / pixel), nearest(state.level, 1, (px - left) / pixel));
    },
    true,
  );
  cg.keys(part.plate, {
    ArrowLeft: () => pointAt(state.level, state.row, state.column - 1),
    ArrowRight: () => pointAt(state.level, state.row, state.column + 1),
    ArrowUp: () => changeLevel(1),
    ArrowDown: () => changeLevel(-1),
    PageUp: () => pointAt(state.level, state.row - 1, state.column),
    PageDown: () => pointAt(state.level, state.row + 1, state.column),
  });

  const renderSoon = cg.once(render);
  Object.assign(root.cellgrad, {
    load,
    table: (layers) => table(layers.map((layer) => ({ ...defaults, ...layer }))),
    pointAt,
    listInPython,
  });
  load(data.layers);
  const first = levels.findIndex((one) => one === found.rows[data.chosen]);
  pointAt(first, Math.floor(places(first, 0) / 2), Math.floor(places(first, 1) / 2));
  render();
}
