// How many seeds? Pairs of runs in one order or another; Student's interval, and the verdict, after each.

function figure(root, data, cg) {
  const { number, colours } = cg;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const {
    panel: {
      x: [left, right],
      y: [bottom, top],
    },
    reach,
  } = data;
  const recorded = data.differences,
    mean = (list) => list.reduce((sum, one) => sum + one, 0) / list.length;
  const deviation = (list) => {
    const middle = mean(list);
    return Math.sqrt(list.reduce((sum, one) => sum + (one - middle) ** 2, 0) / (list.length - 1));
  };
  const state = {
    from: "records",
    draw: 0,
    pairs: recorded.length,
    order: recorded.map((_, place) => place),
    values: [...recorded],
  };

  // The same numbers for the same draw: Tommy Ettinger's mulberry32.
  function random(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }
  function drawn(draw) {
    // the pairs of one draw, in its order
    if (draw === 0 && state.from === "records") return recorded.map((_, place) => place);
    const next = random(draw * 7919 + 1);
    if (state.from === "records") {
      const order = recorded.map((_, place) => place);
      for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    }
    const middle = mean(recorded),
      spread = deviation(recorded);
    return Array.from(
      { length: data.most },
      () => middle + spread * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    );
  }
  const kept = { records: [], bell: [] }; // draws made before
  const valuesOf = (draw) => (kept[state.from][draw] ||= valuesNew(draw));
  const valuesNew = (draw) => drawn(draw).map((one) => (state.from === "records" ? recorded[one] : one));
  function interval(values) {
    const middle = mean(values),
      half = (data.quantiles[values.length - 2] * deviation(values)) / Math.sqrt(values.length);
    return { difference: middle, low: middle - half, high: middle + half };
  }
  // The words are those of cellgrad.trials.comparison.verdict.
  function verdict({ low, high }) {
    const matters = data.matters;
    if (low > 0) return high >= matters ? "better" : `better, by less than ${matters}`;
    if (high < 0) return low <= -matters ? "worse" : `worse, by less than ${matters}`;
    if (Math.max(-low, high) < matters) return `no difference of ${matters} or more`;
    return `no difference we could measure; ${Math.max(-low, high).toFixed(2)} could hide`;
  }
  const colourOf = ({ low, high }) => (low > 0 ? colours.green : high < 0 ? colours.red : colours.blue);

  // ---- the controls

  cg.choice(cg.panel, {
    label: "Draw from",
    options: { records: `the ${recorded.length} recorded pairs`, bell: "a bell curve with their mean and spread" },
    value: "records",
    change: (key) => {
      state.from = key;
      take(key === "records" ? 0 : 1);
    },
  });
  const buttons = cg.group(cg.panel, "Draw");
  cg.button(buttons, "Draw again", () => take(state.draw + 1), { class: "cg-main" });
  cg.button(buttons, "The recorded order", () => {
    state.from = "records";
    chosen();
    take(0);
  });
  const pairs = cg.slider(cg.panel, {
    label: "pairs n",
    min: 2,
    max: data.most,
    step: 1,
    value: state.pairs,
    spell: (value) => `${value} pairs`,
    change: (value) => {
      state.pairs = value;
      renderSoon();
    },
  });
  const words = cg.add(cg.panel, "div", { class: "cg-words" });
  const radios = cg.findAll("input[type=radio]");
  const chosen = () => {
    for (const input of radios) input.checked = input.value === state.from;
  };

  function take(draw) {
    state.draw = draw;
    state.order = state.from === "records" ? drawn(draw) : null;
    state.values = valuesOf(draw);
    render();
  }

  // ---- the picture

  const y = (value) => (bottom + top) / 2 - (cg.clamp(value, -reach, reach) / reach) * ((bottom - top) / 2);
  const x = (n) => left + ((right - left) * (n - 0.5)) / data.most;
  part.marks.style.pointerEvents = "none";
  part.frame.setAttribute("class", "cg-cross");
  cg.drag(part.frame, cg.picture, (px) => {
    state.pairs = cg.clamp(Math.round(((px - left) / (right - left)) * data.most + 0.5), 2, data.most);
    renderSoon();
  });

  function render() {
    const n = Math.min(state.pairs, state.values.length),
      intervals = [];
    part.marks.textContent = "";
    state.values.forEach((value, place) => {
      const dot = { cx: x(place + 1), cy: y(value), r: 2.4, fill: colours.ink, stroke: colours.paper, "stroke-width": 0.8 };
      if (place < 1) return void cg.draw(part.marks, "circle", dot);
      const found = interval(state.values.slice(0, place + 1)),
        colour = colourOf(found);
      intervals.push(found);
      cg.draw(part.marks, "line", {
        x1: x(place + 1),
        x2: x(place + 1),
        y1: y(found.low),
        y2: y(found.high),
        stroke: colour,
        "stroke-width": 4,
      });
      cg.draw(part.marks, "circle", {
        cx: x(place + 1),
        cy: y(found.difference),
        r: 3.4,
        fill: colours.paper,
        stroke: colour,
        "stroke-width": 2,
      });
      cg.draw(part.marks, "circle", dot);
    });
    cg.dress(part.mark, { x: x(n) - 8, visibility: "visible" });
    const found = intervals[n - 2];

    // many draws: how often would each verdict fall?
    const draws = 200,
      share = { better: 0, undecided: 0, worse: 0 };
    for (let draw = 1; draw <= draws; draw++) {
      const one = interval(valuesOf(draw).slice(0, n));
      share[one.low > 0 ? "better" : one.high < 0 ? "worse" : "undecided"] += 1 / draws;
    }
    part.shares.textContent = "";
    let from = left;
    for (const [name, colour] of [
      ["better", colours.green],
      ["undecided", colours.blue],
      ["worse", colours.red],
    ]) {
      const wide = share[name] * (right - left);
      cg.draw(part.shares, "rect", { x: from, y: 278, width: wide, height: 14, fill: colour });
      if (wide > 62)
        cg.draw(
          part.shares,
          "text",
          { x: from + wide / 2, y: 305, "text-anchor": "middle", "font-size": 9.5, fill: colour },
          `${name} ${(100 * share[name]).toFixed(0)} %`,
        );
      from += wide;
    }
    part.often.textContent = `${draws} draws of ${n}: ${["better", "undecided", "worse"].map((name) => `${name} ${(100 * share[name]).toFixed(0)} %`).join(", ")}`;

    pairs.set(state.pairs);
    words.textContent = "";
    cg.add(
      words,
      "div",
      {},
      `After ${n} pairs: ${number(found.difference, 3)} points, between ${number(found.low, 3)} and ${number(found.high, 3)}.`,
    );
    cg.add(words, "div", {}, `“${data.names[0]}” against “${data.names[1]}”: ${verdict(found)}.`);
    if (state.pairs > n) cg.add(words, "div", {}, `Only ${n} pairs are recorded.`);
    cg.say(words.textContent);
    Object.assign(root.cellgrad, {
      state,
      intervals,
      verdict: verdict(found),
      share,
      used: state.order && state.order.slice(0, n).map((place) => data.seeds[place]),
    });
  }

  const renderSoon = cg.once(render);
  take(0);
}
