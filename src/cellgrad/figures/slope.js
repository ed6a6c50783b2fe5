// The slope: secant and tangent. `row`, the network with all its derivatives, is printed by SymPy, above this.

function figure(root, data, cg) {
  const { number } = cg;
  const start = Object.fromEntries(data.parameters.map((name, place) => [name, data.start[place]]));
  const state = { weight: data.weight, at: start[data.weight], nudge: data.nudge, central: false };
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const { curve: big, glass, error } = data.panels;
  const [widest, narrowest] = data.nudges,
    [least, most] = data.errors;

  const rowAt = (value) => row({ ...start, [state.weight]: value });
  const lossAt = (value) => rowAt(value).E_total;
  function secantAt(nudge) {
    if (state.central) return (lossAt(state.at + nudge) - lossAt(state.at - nudge)) / (2 * nudge);
    return (lossAt(state.at + nudge) - lossAt(state.at)) / nudge;
  }

  // ---- the controls

  const names = Object.fromEntries(Object.entries(data.names).map(([name, pretty]) => [name, pretty]));
  cg.select(cg.panel, {
    label: "The curve of",
    options: names,
    value: state.weight,
    change: (weight) => {
      Object.assign(state, { weight, at: start[weight] });
      drawCurve();
      render();
    },
  });
  const atSlider = cg.slider(cg.panel, {
    label: "weight",
    min: -data.reach,
    max: data.reach,
    step: 0.05,
    value: state.at,
    change: (value) => {
      state.at = value;
      renderSoon();
    },
  });
  const nudgeSlider = cg.slider(cg.panel, {
    label: "nudge s",
    min: narrowest,
    max: widest,
    step: 0.05,
    value: Math.log10(state.nudge),
    show: (exponent) => number(10 ** exponent, 3),
    change: (exponent) => {
      state.nudge = 10 ** exponent;
      renderSoon();
    },
  });
  const nearer = cg.group(cg.panel, "Nudge");
  const by = (factor) => () => {
    state.nudge = cg.clamp(state.nudge * factor, 10 ** narrowest, 10 ** widest);
    render();
  };
  cg.button(nearer, "Ten times closer", by(0.1), { class: "cg-main" });
  cg.button(nearer, "Ten times farther", by(10));
  cg.choice(cg.panel, {
    label: "Second point",
    options: { one: "on one side", both: "on both sides" },
    value: "one",
    change: (key) => {
      state.central = key === "both";
      render();
    },
  });
  const words = cg.add(cg.panel, "div", { class: "cg-words" });
  const table = cg.add(
    cg.add(cg.panel, "div", { class: "cg-scroll", tabindex: "0", role: "region", "aria-label": "Nudges" }),
    "table",
  );
  const head = cg.add(cg.add(table, "thead"), "tr");
  for (const name of ["nudge", "secant's slope", "off by"]) cg.add(head, "th", { scope: "col" }, name);
  const body = cg.add(table, "tbody");

  // ---- the hand on the picture

  const x = cg.line([-data.reach, data.reach], big.x);
  let y, highest;
  // A press anywhere takes the nearer of the two points, so that a finger need not hit a dot.
  let held;
  const points = {
    first: {
      label: "the point",
      ends: [-data.reach, data.reach],
      move: (value) => {
        state.at = value;
      },
      by: (way) => {
        state.at = cg.clamp(state.at + 0.05 * way, -data.reach, data.reach);
      },
    },
    second: {
      label: "the second point's distance",
      ends: [narrowest, widest], // powers of ten: tools that read values aloud do not take 1e-12 for a number
      move: (value) => {
        state.nudge = cg.clamp(Math.abs(value - state.at), 0.01, 10 ** widest);
      },
      by: (way) => {
        state.nudge = cg.clamp(state.nudge * 10 ** (0.05 * way), 10 ** narrowest, 10 ** widest);
      },
    },
  };
  part.frame.setAttribute("class", "cg-drag");
  cg.drag(part.frame, cg.picture, (px, py, how) => {
    const value = cg.clamp(x.back(px), -data.reach, data.reach);
    if (how === "down")
      held = Math.abs(value - state.at) < Math.abs(value - state.at - state.nudge) ? "first" : "second";
    points[held].move(value);
    renderSoon();
  });
  for (const [name, { label, ends, by: nudgeBy }] of Object.entries(points)) {
    cg.handle(part[name], label, ends);
    const go = (way) => () => {
      nudgeBy(way);
      render();
    };
    cg.keys(part[name], { ArrowRight: go(1), ArrowUp: go(1), ArrowLeft: go(-1), ArrowDown: go(-1) });
  }
  for (const name of ["curve", "tangent", "secant", "first", "second"]) part[name].style.pointerEvents = "none";

  // ---- the picture

  function drawCurve() {
    const values = Array.from({ length: 121 }, (_, i) => -data.reach + (i * data.reach) / 60);
    const losses = values.map(lossAt);
    highest = 1.08 * Math.max(...losses) || 1;
    y = cg.line([0, highest], big.y);
    part.curve.setAttribute("d", cg.path(values.map((value, i) => [x(value), y(losses[i])])));
    part.top.textContent = number(highest, 2);
    part.axis.textContent = `weight ${data.names[state.weight]}`;
  }

  // The part of a straight line through (value, loss) that lies inside the panel.
  function straight(value, loss, rise) {
    const ends = rise
      ? [value - loss / rise, value + (highest - loss) / rise].sort((a, b) => a - b)
      : [-Infinity, Infinity];
    const inside = ends.map((end) => cg.clamp(end, -data.reach, data.reach));
    return cg.path(inside.map((end) => [x(end), y(loss + rise * (end - value))]));
  }

  const move = (dot, px, py) => cg.dress(dot, { cx: px, cy: py });
  const ten = (exponent, ends) => cg.line(exponent, ends);
  const errorX = ten(data.nudges, error.x),
    errorY = ten(data.errors, error.y);
  const errorHeight = (off) => errorY(cg.clamp(Math.log10(Math.abs(off) || 1e-300), least, most));

  function render() {
    const { at, nudge, central } = state;
    const here = rowAt(at),
      loss = here.E_total,
      tangent = here[`dE_d${state.weight}`];
    const from = central ? at - nudge : at,
      to = at + nudge;
    const fromLoss = lossAt(from),
      toLoss = lossAt(to),
      secant = secantAt(nudge);

    part.tangent.setAttribute("d", straight(at, loss, tangent));
    part.secant.setAttribute("d", straight(from, fromLoss, secant));
    move(part.first, x(at), y(loss));
    move(part.second, x(cg.clamp(to, -data.reach, data.reach)), y(lossAt(cg.clamp(to, -data.reach, data.reach))));

    const near = Array.from({ length: 61 }, (_, i) => at + (i / 15 - 2) * nudge),
      nearLosses = near.map(lossAt);
    const low = Math.min(...nearLosses),
      high = Math.max(...nearLosses);
    const glassX = cg.line([at - 2 * nudge, at + 2 * nudge], glass.x),
      glassY = cg.line([low, high > low ? high : low + 1], glass.y);
    part.near.setAttribute("d", cg.path(near.map((value, i) => [glassX(value), glassY(nearLosses[i])])));
    part["near-secant"].setAttribute(
      "d",
      cg.path([
        [glassX(from), glassY(fromLoss)],
        [glassX(to), glassY(toLoss)],
      ]),
    );
    move(part["near-first"], glassX(at), glassY(loss));
    move(part["near-second"], glassX(to), glassY(toLoss));
    part["near-axis"].textContent = `${data.names[state.weight]} ± ${number(2 * nudge, 3)}`;

    const exponents = Array.from({ length: 125 }, (_, i) => widest + ((narrowest - widest) * i) / 124);
    part.errors.setAttribute("d", cg.path(exponents.map((e) => [errorX(e), errorHeight(secantAt(10 ** e) - tangent)])));
    move(part.error, errorX(Math.log10(nudge)), errorHeight(secant - tangent));

    for (const [handle, place, value] of [
      [part.first, at, at],
      [part.second, Math.log10(nudge), nudge],
    ]) {
      cg.dress(handle, { "aria-valuenow": place.toFixed(6), "aria-valuetext": number(value, 3) });
    }
    atSlider.set(at);
    nudgeSlider.set(Math.log10(nudge));
    words.textContent = "";
    cg.add(words, "div", {}, `Secant: slope ${number(secant, 8)}`);
    cg.add(words, "div", {}, `Tangent, by the chain rule: ${number(tangent, 8)}`);
    cg.add(words, "div", {}, `Difference: ${number(secant - tangent, 3)}`);
    body.textContent = "";
    for (const exponent of [0, -1, -2, -3, -6, -9, -12]) {
      const slope = secantAt(10 ** exponent),
        line = cg.add(body, "tr");
      cg.add(line, "th", { scope: "row" }, number(10 ** exponent, 2));
      for (const cell of [number(slope, 8), number(slope - tangent, 2)]) cg.add(line, "td", {}, cell);
    }
    cg.say(
      `With a nudge of ${number(nudge, 3)} the secant's slope is ${number(secant)}, the tangent's ${number(tangent)}.`,
    );
    Object.assign(root.cellgrad, { at, nudge, loss, tangent, secant });
  }

  const renderSoon = cg.once(render);
  drawCurve();
  render();
}
