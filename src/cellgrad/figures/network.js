// The toy network, alive. `forward`, `backward` and `walks` are printed by SymPy, above this.

function figure(root, data, cg) {
  const { add, number, colours } = cg;
  const names = data.names;
  const weights = data.parameters.filter((name) => name[0] === "w");
  const known = (list) => Object.fromEntries(data.parameters.map((name, place) => [name, list[place]]));
  const shownAs = (name) => names[name] || name;

  const state = {
    variant: "right",
    rate: data.learning_rate,
    start: known(data.start), // the parameters of the sheet's row 0
    now: known(data.start),
    table: [], // the rows of the sheet that are complete
    walked: -1, // presses of Step since the walk began; -1: no walk, everything is shown
  };
  const row = (parameters, variant = state.variant) => backward[variant](forward(parameters));
  function updated(values) {
    const next = Object.fromEntries(data.parameters.map((name) => [name, values[name]]));
    for (const weight of weights) next[weight] = values[weight] - state.rate * values[`dE_d${weight}`];
    return next;
  }

  // ---- what changes the state

  function restart(parameters) {
    Object.assign(state, { start: parameters, now: parameters, table: [], walked: -1 });
    render();
  }
  function setParameter(name, value) {
    const next = { ...state.now, [name]: value };
    Object.assign(state, { start: next, now: next, table: [] }); // a walk goes on, with the new numbers
    renderSoon();
  }
  function update(times) {
    for (let i = 0; i < times; i++) {
      const values = row(state.now);
      state.table.push(values);
      state.now = updated(values);
    }
    state.walked = -1;
    render();
  }
  // where only the way forwards is told, the walk ends at the loss, and nothing is updated
  const walkOf = () => walks[state.variant].filter((one) => data.backwards || one.way === "forward");
  function step() {
    if (state.walked >= walkOf().length - 1) return data.backwards ? update(1) : restart(state.now);
    state.walked += 1;
    render();
  }
  function finish() {
    state.walked = walkOf().length - 1;
    render();
  }
  function choose(variant) {
    state.variant = variant;
    restart(state.start);
  }

  // ---- the controls

  const steps = cg.group(cg.panel, "Walk and update");
  const stepButton = cg.button(steps, "Step", step, { class: "cg-main" });
  cg.button(steps, "To the end of the walk", finish);
  if (data.backwards) {
    cg.button(steps, "Update", () => update(1));
    cg.button(steps, "100 updates", () => update(100));
    cg.button(steps, "Back to row 0", () => restart(state.start));
  }
  const words = add(cg.panel, "div", { class: "cg-words" });

  const sliders = {};
  const box = cg.group(cg.panel, "Weights, inputs, targets, biases", "cg-sliders");
  const ranges = {
    w: [-6, 6, 0.05, "weight"],
    i: [-2, 2, 0.05, "input"],
    t: [0, 1, 0.01, "target"],
    b: [-2, 2, 0.05, "bias"],
  };
  const order = [...weights, ...data.parameters.filter((name) => name[0] !== "w" && name[0] !== "t"), "t1", "t2"];
  for (const name of order) {
    const [min, max, by, kind] = ranges[name[0]];
    sliders[name] = cg.slider(box, {
      label: shownAs(name),
      spoken: `${kind} ${name}`,
      min,
      max,
      step: by,
      value: state.now[name],
      show: (value) => number(value, 3),
      change: (value) => setParameter(name, value),
    });
  }
  const rate = (value) => {
    state.rate = value;
    renderSoon();
  };
  const shared = { min: 0.1, max: 10, step: 0.1, value: state.rate, change: rate };
  if (data.backwards) cg.slider(box, { label: "η", spoken: "learning rate", ...shared });
  const variants = Object.fromEntries(Object.entries(data.variants).map(([key, variant]) => [key, variant.label]));
  const chosen = { label: "Derivatives by", options: variants, value: "right", change: choose };
  const chooser = data.backwards && cg.select(cg.panel, chosen);
  const starts = cg.group(cg.panel, "Where to start");
  cg.button(starts, "The book's start", () => restart(known(data.start)));
  const failing = cg.button(starts, "A start where this fails", () => {
    const start = data.variants[state.variant].start;
    restart(known([...start.targets, ...start.inputs, ...start.weights, ...start.biases]));
  });

  const scroll = add(root, "div", { class: "cg-scroll", tabindex: "0", role: "region", "aria-label": "The sheet" });
  root.insertBefore(scroll, cg.find(".cg-said"));
  const sheet = add(scroll, "table");
  const head = add(add(sheet, "thead"), "tr");
  add(head, "th", { scope: "col" }, "row");
  for (const name of data.columns) add(head, "th", { scope: "col" }, shownAs(name));
  const body = add(sheet, "tbody");

  // ---- the picture

  const parts = (name) =>
    Object.fromEntries(
      cg.findAll(`.cg-picture [data-${name}]`).map((part) => [part.getAttribute(`data-${name}`), part]),
    );
  const edge = parts("edge"),
    node = parts("node"),
    weightText = parts("weight"),
    slopeText = parts("slope");
  const valueText = parts("value"),
    sumText = parts("sum"),
    deltaText = parts("delta"),
    targetText = parts("target");
  const [curve] = cg.findAll("[data-curve]"),
    [ghost] = cg.findAll("[data-ghost]"),
    [ahead] = cg.findAll("[data-ahead]"),
    [dot] = cg.findAll("[data-dot]");
  const [top] = cg.findAll("[data-top]"),
    [axis] = cg.findAll("[data-axis]"),
    legend = parts("legend");
  const plain = Object.fromEntries(Object.entries(node).map(([name, circle]) => [name, circle.getAttribute("stroke")]));

  function written(line, values) {
    const name = (piece) => (piece[0] === "@" ? shownAs(piece.slice(1)) : piece);
    const value = (piece) => {
      if (piece[0] !== "@") return piece;
      const text = number(values[piece.slice(1)]);
      return text[0] === "−" ? `(${text})` : text;
    };
    const left = line.name ? `${shownAs(line.name)} = ` : "";
    return `${left}${line.formula.map(name).join("")} = ${line.formula.map(value).join("")} = ${number(line.value(values))}`;
  }

  function render() {
    const values = row(state.now);
    const walk = walkOf();
    const done = state.walked < 0 ? walk : walk.slice(0, state.walked + 1);
    const current = state.walked < 0 ? null : walk[state.walked];
    const seen = new Set(data.parameters);
    for (const one of done) for (const line of one.lines) if (line.name) seen.add(line.name);
    const say = (name, digits) => (seen.has(name) ? number(values[name], digits) : "?");

    for (const [name, part] of Object.entries(weightText)) cg.put(part, `${shownAs(name)} ${number(values[name])}`);
    for (const [name, part] of Object.entries(slopeText)) {
      cg.put(part, seen.has(`dE_d${name}`) ? `∂ ${number(values[`dE_d${name}`], 2)}` : "");
    }
    for (const [name, part] of Object.entries(valueText)) cg.put(part, say(name, name === "E1" || name === "E2" ? 2 : 3));
    for (const [name, part] of Object.entries(sumText)) cg.put(part, `${shownAs(name)} = ${say(name)}`);
    for (const [name, part] of Object.entries(deltaText)) {
      const delta = `delta_${name}`;
      cg.put(part, seen.has(delta) ? `${shownAs(delta)} = ${number(values[delta], 3)}` : "");
    }
    for (const [name, part] of Object.entries(targetText)) cg.put(part, `${shownAs(name)} = ${number(values[name])}`);
    const light = current && current.way === "backward" ? colours.purple : colours.blue;
    for (const [name, part] of Object.entries(edge)) {
      const lit = current && current.edges.includes(name);
      cg.dress(part, { stroke: lit ? light : colours.line, "stroke-width": lit ? 5 : 2 });
    }
    for (const [name, part] of Object.entries(node)) {
      const lit = current && current.nodes.includes(name);
      part.setAttribute("stroke", lit ? light : plain[name]);
      part.setAttribute("stroke-width", lit ? 5 : 2);
    }

    words.textContent = "";
    if (current) {
      const place = `${state.walked + 1} of ${walk.length}, ${current.way === "forward" ? "forwards" : "backwards"}: `;
      current.lines.forEach((line, i) => add(words, "div", {}, (i ? "" : place) + written(line, values)));
    } else {
      add(
        words,
        "div",
        {},
        `Row ${state.table.length}: the loss is ${number(values.E_total, 6)}. Step walks through this row.`,
      );
    }
    cg.say(words.textContent);
    const next = data.backwards ? "Update all eight" : "From the start";
    stepButton.textContent = state.walked === walk.length - 1 ? next : "Step";
    failing.hidden = !data.variants[state.variant].start;
    for (const name of order) sliders[name].set(state.now[name]);

    renderSheet(values, seen);
    if (data.backwards) renderCurve(values);
    root.cellgrad.values = values;
    root.cellgrad.table = [...state.table, values];
  }

  let lines = [],
    counted = -1;
  function renderSheet(values, seen) {
    const rows = [...state.table, values],
      from = Math.max(0, rows.length - 6);
    if (counted !== rows.length) {
      counted = rows.length;
      body.textContent = "";
      lines = rows.slice(from).map((_, place) => {
        const line = add(body, "tr", from + place === rows.length - 1 ? { class: "cg-now" } : {});
        add(line, "th", { scope: "row" }, String(from + place));
        return data.columns.map(() => add(line, "td"));
      });
    }
    lines.forEach((cells, place) => {
      const last = from + place === rows.length - 1;
      data.columns.forEach((name, column) => {
        cg.put(cells[column], last && !seen.has(name) ? "" : number(rows[from + place][name], 6));
      });
    });
  }

  function losses(parameters, count, variant) {
    const list = [];
    for (let i = 0; i <= count; i++) {
      const values = row(parameters, variant);
      list.push(values.E_total);
      parameters = updated(values);
    }
    return list;
  }

  function renderCurve(values) {
    const count = state.table.length,
      mistaken = state.variant !== "right";
    const so = [...state.table.map((one) => one.E_total), values.E_total];
    const next = losses(state.now, Math.max(data.ahead - count, 0), state.variant);
    // where other formulas are chosen: the right ones, from the same start, as far
    const right = mistaken ? losses(state.start, Math.max(count, data.ahead), "right") : [];
    const highest = 1.05 * Math.max(...so, ...next, ...right, 1e-12),
      last = Math.max(count, data.ahead);
    const x = cg.line([0, last], [40, 390]),
      y = cg.line([0, highest], [384, 306]);
    const points = (list, from = 0) => cg.path(list.map((loss, place) => [x(from + place), y(loss)]));
    curve.setAttribute("d", points(so));
    ahead.setAttribute("d", points(next, count));
    ghost.setAttribute("d", points(right));
    dot.setAttribute("cx", x(count));
    dot.setAttribute("cy", y(values.E_total));
    top.textContent = number(highest, 2);
    axis.textContent = `update 0 to ${last}`;
    legend.right.textContent = mistaken ? `right formulas: ${number(right[count], 3)}` : "";
    legend.mistaken.textContent = `loss now: ${number(values.E_total, 3)}`;
  }

  const renderSoon = cg.once(render);
  root.cellgrad.set = setParameter;
  root.cellgrad.state = state;
  render();
  if (chooser) chooser.set(state.variant);
}
