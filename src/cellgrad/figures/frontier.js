// The frontier: choose a network to look into, and how often its test digits are read.

function figure(root, data, cg) {
  const { colours } = cg;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const dots = cg.findAll("[data-point]"),
    spreads = cg.findAll("[data-spread]"),
    labels = cg.findAll("[data-name]");
  const {
    panel: {
      x: [left, right],
      y: [bottom, top],
    },
  } = data;
  const state = { chosen: data.points.length - 1, reading: "test_accuracy" };
  const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)} %`;

  cg.choice(cg.panel, {
    label: "The test digits",
    options: data.readings,
    value: state.reading,
    change: (key) => {
      state.reading = key;
      render();
    },
  });
  const pick = cg.select(cg.panel, {
    label: "Network",
    options: Object.fromEntries(data.points.map((point, index) => [index, point.name])),
    value: String(state.chosen),
    change: (key) => choose(Number(key)),
  });
  const steps = cg.group(cg.panel, "Go along the axis");
  cg.button(steps, "Smaller", () => choose(state.chosen - 1));
  cg.button(steps, "Larger", () => choose(state.chosen + 1));
  const words = cg.add(cg.panel, "div", { class: "cg-words" });
  const list = cg.add(cg.panel, "ol", { class: "cg-list" });

  const y = (accuracy) => bottom - ((100 * accuracy - data.lowest) / (data.highest - data.lowest)) * (bottom - top);
  function choose(index) {
    state.chosen = cg.clamp(index, 0, data.points.length - 1);
    pick.set(String(state.chosen));
    render();
  }
  for (const one of [...dots, ...spreads, ...labels, part.ring]) one.style.pointerEvents = "none";
  part.frame.setAttribute("class", "cg-cross");
  cg.drag(part.frame, cg.picture, (px, py) => {
    const far = dots.map((dot) => Math.hypot(dot.getAttribute("cx") - px, dot.getAttribute("cy") - py));
    choose(far.indexOf(Math.min(...far)));
  });

  function render() {
    data.points.forEach((point, index) => {
      const reading = point.readings[state.reading],
        chosen = index === state.chosen;
      cg.dress(dots[index], { cy: y(reading.mean), fill: chosen ? colours.red : colours.blue });
      cg.dress(spreads[index], {
        y1: y(reading.worst),
        y2: y(reading.best),
        stroke: chosen ? colours.red : colours.blue,
      });
      labels[index].setAttribute("y", y(reading.mean) + 4);
    });
    const point = data.points[state.chosen],
      reading = point.readings[state.reading];
    cg.dress(part.ring, { cx: dots[state.chosen].getAttribute("cx"), cy: y(reading.mean) });
    words.textContent = "";
    cg.add(
      words,
      "div",
      {},
      `${point.name}: ${cg.grouped(point.parameters)} parameters, ${point.epochs} epochs`,
    );
    const spread = reading.deviation === null ? "" : ` ± ${(100 * reading.deviation).toFixed(2)}`;
    cg.add(
      words,
      "div",
      {},
      `${(100 * reading.mean).toFixed(3)}${spread} % over ${point.seeds} seeds, the worst ${percent(reading.worst)}`,
    );
    const times = state.reading === "test_accuracy" ? point.times : 1;
    cg.add(
      words,
      "div",
      {},
      times === 1 ? "each digit read once" : `each digit read ${times} times, at shifts of a pixel`,
    );
    list.textContent = "";
    for (const layer of point.layers) cg.add(list, "li", {}, layer);
    cg.say(words.textContent);
    Object.assign(root.cellgrad, { state, mean: reading.mean, name: point.name });
  }
  render();
}
