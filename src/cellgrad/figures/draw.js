// Draw a digit: strokes become pixels as MNIST's were made, and the network, from its layer list, reads them.

function figure(root, data, cg) {
  const { number, colours } = cg;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const N = 28;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const weights = Object.fromEntries(
    Object.entries(data.weights).map(([name, text]) => [name, new Float32Array(bytes(text).buffer)]),
  );
  const allDigits = bytes(data.digits);
  const testDigit = (place) => Float32Array.from(allDigits.subarray(place * N * N, (place + 1) * N * N));

  // ---- the network

  const pair = (extent) => (Array.isArray(extent) ? extent : [extent, extent]);
  const outputs = data.layers.map((layer, index) => ({
    kernel: 1,
    stride: 1,
    padding: 0,
    dilation: 1,
    groups: 1,
    ...layer,
    input: index ? data.sizes[index - 1] : [1, N, N],
    output: data.sizes[index],
  }));
  const count = (size) => size.reduce((one, other) => one * other, 1);
  const positions = new Map();
  // For each place of the window, as runs of one row each: where it begins to read and to write, and how long it goes on.
  // A run reads every `stride`-th number. The same for every image.
  function runs(layer) {
    if (positions.has(layer)) return positions.get(layer);
    const [, high, wide] = layer.input,
      [, rows, columns] = layer.output;
    const [kh, kw] = pair(layer.kernel),
      [sh, sw] = pair(layer.stride),
      [ph, pw] = pair(layer.padding),
      [dh, dw] = pair(layer.dilation);
    const lists = [];
    for (let a = 0; a < kh; a++)
      for (let b = 0; b < kw; b++) {
        const list = [],
          shift = b * dw - pw; // column c reads at c · sw + shift
        const first = Math.max(Math.ceil(-shift / sw), 0),
          last = Math.min(Math.floor((wide - 1 - shift) / sw), columns - 1);
        for (let row = 0; row < rows; row++) {
          const i = row * sh - ph + a * dh;
          if (i >= 0 && i < high && last >= first)
            list.push(i * wide + first * sw + shift, row * columns + first, last - first + 1);
        }
        lists.push(Int32Array.from(list));
      }
    positions.set(layer, { lists, stride: sw });
    return positions.get(layer);
  }
  const compute = {
    conv(layer, x) {
      const [channels, high, wide] = layer.input,
        plane = high * wide,
        places = layer.output[1] * layer.output[2];
      const y = new Float64Array(count(layer.output)),
        w = weights[`${layer.name}.weight`],
        bias = weights[`${layer.name}.bias`];
      const { lists, stride } = runs(layer),
        each = channels / layer.groups;
      for (let out = 0; out < layer.output[0]; out++) {
        const to = out * places,
          group = Math.floor((out * layer.groups) / layer.output[0]);
        if (bias) y.fill(bias[out], to, to + places);
        for (let c = 0; c < each; c++) {
          const from = (group * each + c) * plane,
            at = (out * each + c) * lists.length;
          for (let tap = 0; tap < lists.length; tap++) {
            const weight = w[at + tap],
              list = lists[tap];
            for (let k = 0; k < list.length; k += 3) {
              const read = from + list[k],
                write = to + list[k + 1];
              for (let n = 0; n < list[k + 2]; n++) y[write + n] += weight * x[read + n * stride];
            }
          }
        }
      }
      return y;
    },
    max_pool: (layer, x) => pooled(layer, x, -Infinity, Math.max),
    avg_pool(layer, x) {
      const area = count(pair(layer.kernel));
      return pooled(layer, x, 0, (sum, one) => sum + one).map((sum) => sum / area);
    },
    global_avg_pool(layer, x) {
      const plane = x.length / layer.input[0];
      return Float64Array.from(
        { length: layer.input[0] },
        (_, c) => x.subarray(c * plane, (c + 1) * plane).reduce((sum, one) => sum + one, 0) / plane,
      );
    },
    pixel_unshuffle(layer, x) {
      const [channels, high, wide] = layer.input,
        b = layer.kernel,
        y = new Float64Array(x.length);
      let to = 0;
      for (let c = 0; c < channels; c++)
        for (let p = 0; p < b; p++)
          for (let q = 0; q < b; q++) {
            for (let i = 0; i < high / b; i++)
              for (let j = 0; j < wide / b; j++) y[to++] = x[(c * high + i * b + p) * wide + j * b + q];
          }
      return y;
    },
    relu: (layer, x) => x.map((one) => Math.max(one, 0)),
    batch_norm(layer, x) {
      const [scale, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
        (name) => weights[`${layer.name}.${name}`],
      );
      const plane = x.length / layer.input[0];
      const y = new Float64Array(x.length);
      for (let c = 0; c < mean.length; c++) {
        const factor = scale[c] / Math.sqrt(variance[c] + 1e-5);
        for (let i = c * plane; i < (c + 1) * plane; i++) y[i] = (x[i] - mean[c]) * factor + shift[c];
      }
      return y;
    },
    dropout: (layer, x) => x,
    flatten: (layer, x) => x,
    linear(layer, x) {
      const w = weights[`${layer.name}.weight`],
        bias = weights[`${layer.name}.bias`];
      return Float64Array.from({ length: layer.output[0] }, (_, out) => {
        let sum = bias ? bias[out] : 0;
        for (let i = 0; i < x.length; i++) sum += w[out * x.length + i] * x[i];
        return sum;
      });
    },
  };
  function pooled(layer, x, start, join) {
    const [channels, high, wide] = layer.input,
      places = layer.output[1] * layer.output[2];
    const { lists, stride } = runs(layer);
    const y = new Float64Array(count(layer.output)).fill(start);
    for (let c = 0; c < channels; c++) {
      for (const list of lists) {
        for (let k = 0; k < list.length; k += 3) {
          const read = c * high * wide + list[k],
            write = c * places + list[k + 1];
          for (let n = 0; n < list[k + 2]; n++) y[write + n] = join(y[write + n], x[read + n * stride]);
        }
      }
    }
    return y;
  }
  function forward(pixels) {
    // the output of every layer; the last are the scores
    let x = Float64Array.from(pixels, (one) => (one / 255 - data.mean) / data.std);
    return outputs.map((layer) => (x = compute[layer.kind](layer, x)));
  }
  const logits = (pixels) => [...forward(pixels).at(-1)];
  function chancesOf(scores) {
    const most = Math.max(...scores),
      parts = scores.map((one) => Math.exp(one - most));
    const sum = parts.reduce((one, other) => one + other, 0);
    return parts.map((one) => one / sum);
  }

  // ---- from strokes to pixels

  const fine = 4,
    radius = 1.15; // samples a pixel and axis; half of a pen's width, in pixels
  function rasterised(strokes) {
    const wide = N * fine,
      samples = new Uint8Array(wide * wide),
      reach = radius * fine;
    for (const stroke of strokes) {
      for (let k = 0; k < stroke.length; k++) {
        const [x0, y0] = stroke[Math.max(k - 1, 0)].map((one) => one * fine),
          [x1, y1] = stroke[k].map((one) => one * fine);
        const dx = x1 - x0,
          dy = y1 - y0,
          long = dx * dx + dy * dy;
        const within = (low, high) => [
          Math.max(Math.floor(low - reach), 0),
          Math.min(Math.ceil(high + reach), wide - 1),
        ];
        const [left, right] = within(Math.min(x0, x1), Math.max(x0, x1)),
          [top, bottom] = within(Math.min(y0, y1), Math.max(y0, y1));
        for (let i = top; i <= bottom; i++)
          for (let j = left; j <= right; j++) {
            const px = j + 0.5,
              py = i + 0.5;
            const t = long ? cg.clamp(((px - x0) * dx + (py - y0) * dy) / long, 0, 1) : 0;
            if ((px - x0 - t * dx) ** 2 + (py - y0 - t * dy) ** 2 <= reach * reach) samples[i * wide + j] = 1;
          }
      }
    }
    const pixels = new Float32Array(N * N);
    for (let i = 0; i < wide; i++)
      for (let j = 0; j < wide; j++) pixels[Math.floor(i / fine) * N + Math.floor(j / fine)] += samples[i * wide + j];
    return pixels.map((one) => (255 * one) / fine ** 2);
  }
  function massCentre(pixels) {
    let sum = 0,
      x = 0,
      y = 0;
    pixels.forEach((one, i) => {
      sum += one;
      x += one * ((i % N) + 0.5);
      y += one * (Math.floor(i / N) + 0.5);
    });
    return sum ? [x / sum, y / sum] : [N / 2, N / 2];
  }
  // As MNIST's: the larger side 20 pixels, then the centre of the ink in the centre of the 28.
  function centred(strokes) {
    const points = strokes.flat(),
      xs = points.map(([x]) => x),
      ys = points.map(([, y]) => y);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = (20 - 2 * radius) / Math.max(right - left, bottom - top, 4);
    const placed = (dx, dy) =>
      strokes.map((stroke) =>
        stroke.map(([x, y]) => [
          (x - (left + right) / 2) * scale + N / 2 + dx,
          (y - (top + bottom) / 2) * scale + N / 2 + dy,
        ]),
      );
    const [x, y] = massCentre(rasterised(placed(0, 0)));
    return rasterised(placed(N / 2 - x, N / 2 - y));
  }
  // Turned about the centre, moved, and covered; in this order.
  function changed(pixels, { turn, right, down, cover }) {
    const angle = (turn * Math.PI) / 180,
      cos = Math.cos(angle),
      sin = Math.sin(angle),
      middle = (N - 1) / 2;
    const at = (i, j) => (i < 0 || j < 0 || i >= N || j >= N ? 0 : pixels[i * N + j]);
    const result = new Float32Array(N * N);
    for (let i = 0; i < N; i++)
      for (let j = 0; j < N; j++) {
        const y = i - down - middle,
          x = j - right - middle;
        const u = cos * x - sin * y + middle,
          v = sin * x + cos * y + middle; // turned back: anticlockwise is positive
        const i0 = Math.floor(v + 1e-9),
          j0 = Math.floor(u + 1e-9),
          a = Math.max(v - i0, 0),
          b = Math.max(u - j0, 0);
        const covered = {
          nothing: false,
          top: i < N / 2,
          bottom: i >= N / 2,
          left: j < N / 2,
          right: j >= N / 2,
          middle: Math.abs(i - middle) < 4 && Math.abs(j - middle) < 4,
        }[cover];
        result[i * N + j] = covered
          ? 0
          : (1 - a) * ((1 - b) * at(i0, j0) + b * at(i0, j0 + 1)) +
            a * ((1 - b) * at(i0 + 1, j0) + b * at(i0 + 1, j0 + 1));
      }
    return result;
  }

  // ---- state and controls

  const state = { digit: data.first, strokes: [], turn: 0, right: 0, down: 0, cover: "nothing", layer: 0 };
  let layersOut = [],
    seen,
    scores,
    mapping,
    read = { at: 0, took: 0 },
    reading,
    stop = () => {};
  const source = () =>
    state.digit === null
      ? state.strokes.length
        ? centred(state.strokes)
        : new Float32Array(N * N)
      : testDigit(state.digit);

  const buttons = cg.group(cg.panel, "The sheet");
  cg.button(
    buttons,
    "Empty sheet",
    () => {
      Object.assign(state, { digit: null, strokes: [] });
      picked.set("own");
      render();
    },
    { class: "cg-main" },
  );
  const options = {
    own: "your own",
    ...Object.fromEntries(data.labels.map((label, place) => [place, `a ${label}${place % 2 ? ", another" : ""}`])),
  };
  const picked = cg.select(buttons, {
    label: "Test digit",
    options,
    value: String(state.digit),
    change: (key) => {
      Object.assign(state, { digit: key === "own" ? null : Number(key), strokes: [] });
      render();
    },
  });
  const sliders = {
    turn: cg.slider(cg.panel, {
      label: "turned by",
      min: -180,
      max: 180,
      step: 5,
      value: 0,
      show: (value) => `${number(value)}°`,
      change: (value) => {
        state.turn = value;
        followSoon();
      },
    }),
    right: cg.slider(cg.panel, {
      label: "moved right",
      min: -10,
      max: 10,
      step: 1,
      value: 0,
      change: (value) => {
        state.right = value;
        followSoon();
      },
    }),
    down: cg.slider(cg.panel, {
      label: "moved down",
      min: -10,
      max: 10,
      step: 1,
      value: 0,
      change: (value) => {
        state.down = value;
        followSoon();
      },
    }),
  };
  const covers = {
    nothing: "nothing",
    top: "upper half",
    bottom: "lower half",
    left: "left half",
    right: "right half",
    middle: "the middle",
  };
  const cover = cg.select(cg.panel, {
    label: "Covered",
    options: covers,
    value: "nothing",
    change: (key) => {
      state.cover = key;
      render();
    },
  });
  const more = cg.group(cg.panel, "Look closer");
  cg.button(more, "Which pixels mattered?", mattered);
  cg.button(more, "As it was", () => {
    Object.assign(state, { turn: 0, right: 0, down: 0, cover: "nothing" });
    for (const slider of Object.values(sliders)) slider.set(0);
    cover.set("nothing");
    render();
  });
  const layerNames = Object.fromEntries(
    outputs.map((layer, index) => [index, `${layer.name}: ${layer.output.join("×")}`]),
  );
  cg.select(cg.panel, {
    label: "Maps after",
    options: layerNames,
    value: "0",
    change: (key) => {
      state.layer = Number(key);
      renderMaps();
    },
  });
  const words = cg.add(cg.panel, "div", { class: "cg-words" });
  const maps = cg.add(cg.find(".cg-picture"), "canvas", { role: "img", class: "cg-maps" });

  // ---- the hand on the sheet

  const [left, top, side] = data.panels.drawing,
    [seenLeft, seenTop, seenSide] = data.panels.seen;
  for (const name of ["drawing-ink", "strokes"]) part[name].style.pointerEvents = "none";
  part.drawing.setAttribute("class", "cg-cross");
  cg.drag(part.drawing, cg.picture, (px, py, how) => {
    const point = [cg.clamp(((px - left) / side) * N, 0, N), cg.clamp(((py - top) / side) * N, 0, N)];
    if (how === "down") {
      if (state.digit !== null) Object.assign(state, { digit: null, strokes: [] });
      picked.set("own");
      state.strokes.push([point]);
    } else if (how === "drag") {
      const stroke = state.strokes.at(-1),
        [x, y] = stroke.at(-1);
      if (Math.hypot(point[0] - x, point[1] - y) > 0.2) stroke.push(point);
      return followSoon();
    }
    renderSoon();
  });

  // ---- the picture

  const squares = (group, x, y, wide) => {
    group.textContent = "";
    const cell = wide / N;
    return Array.from({ length: N * N }, (_, i) =>
      cg.draw(group, "rect", {
        x: x + cell * (i % N),
        y: y + cell * Math.floor(i / N),
        width: cell,
        height: cell,
        fill: colours.ink,
        "fill-opacity": 0,
      }),
    );
  };
  const drawingCells = squares(part["drawing-ink"], left, top, side),
    seenCells = squares(part["seen-ink"], seenLeft, seenTop, seenSide);
  const matteredCells = squares(part.mattered, seenLeft, seenTop, seenSide);
  const shade = (cells, pixels) => cells.forEach((cell, i) => cg.shade(cell, Math.round(pixels[i]) / 255));
  const bars = Object.fromEntries(["digit", "bar", "chance"].map((name) => [name, cg.findAll(`[data-${name}]`)]));
  const [barLeft, barRight] = data.panels.bars;

  function drawLine() {
    const scale = side / N;
    const placed = (stroke) => cg.path([stroke[0], ...stroke].map(([x, y]) => [left + x * scale, top + y * scale]));
    part.strokes.setAttribute("d", state.strokes.map(placed).join(""));
  }

  // The picture follows each movement; the network reads as often as this machine can, and when the hand rests.
  function follow() {
    clearTimeout(reading);
    if (performance.now() - read.at > 3 * read.took) return render();
    if (state.digit === null) drawLine();
    else shade(seenCells, changed(source(), state));
    reading = setTimeout(render, 3 * read.took);
  }

  function render() {
    clearTimeout(reading);
    const begun = performance.now();
    stop();
    seen = changed(source(), state);
    layersOut = forward(seen);
    scores = [...layersOut.at(-1)];
    const chances = chancesOf(scores),
      best = chances.indexOf(Math.max(...chances)),
      empty = !seen.some((one) => one > 0);
    shade(drawingCells, state.digit === null ? new Float32Array(N * N) : testDigit(state.digit));
    drawLine();
    shade(seenCells, seen);
    shade(matteredCells, new Float32Array(N * N));
    chances.forEach((chance, label) => {
      const colour = label === best && !empty ? colours.red : colours.blue;
      cg.dress(bars.bar[label], { width: empty ? 0 : chance * (barRight - barLeft), fill: colour });
      bars.digit[label].setAttribute("fill", label === best && !empty ? colours.red : colours.ink);
      bars.chance[label].textContent = empty ? "" : `${(100 * chance).toFixed(0)} %`;
    });
    part.answer.textContent = empty ? "draw a digit" : `the answer: ${best}`;
    part.sure.textContent = empty ? "" : `${(100 * chances[best]).toFixed(1)} %`;
    const label = state.digit === null ? "" : `A test digit, a ${data.labels[state.digit]}. `;
    words.textContent = empty
      ? "The sheet is empty."
      : `${label}The network answers ${best}, ${(100 * chances[best]).toFixed(1)} %.`;
    cg.say(words.textContent);
    clearTimeout(mapping); // the maps follow when the hand rests
    mapping = setTimeout(renderMaps, 60);
    read = { at: performance.now(), took: performance.now() - begun };
    Object.assign(root.cellgrad, { state, seen: [...seen], scores, best });
  }

  function renderMaps() {
    const layer = outputs[state.layer],
      values = layersOut[state.layer],
      size = layer.output;
    const [channels, high, wide] = size.length === 3 ? size : [1, 1, size[0]];
    const columns = Math.min(channels, 8),
      rows = Math.ceil(channels / columns);
    maps.width = columns * (wide + 1) + 1;
    maps.height = rows * (high + 1) + 1;
    maps.setAttribute(
      "aria-label",
      `${channels} maps of ${high} by ${wide} numbers after ${layer.name}, orange-red above zero, blue below`,
    );
    const context = maps.getContext("2d"),
      style = getComputedStyle(root);
    const rgb = (name) =>
      style
        .getPropertyValue(name)
        .trim()
        .match(/[0-9a-f]{2}/gi)
        .map((one) => parseInt(one, 16));
    const [warm, cold, paper, line] = ["--red", "--blue", "--paper", "--line"].map(rgb);
    const picture = context.createImageData(maps.width, maps.height);
    for (let i = 0; i < picture.data.length; i += 4) picture.data.set([...line, 255], i);
    let most = 0;
    for (const one of values) most = Math.max(most, Math.abs(one));
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < high; i++)
        for (let j = 0; j < wide; j++) {
          const value = values[(c * high + i) * wide + j],
            share = most ? Math.abs(value) / most : 0;
          const colour = value > 0 ? warm : cold;
          const x = (c % columns) * (wide + 1) + 1 + j,
            y = Math.floor(c / columns) * (high + 1) + 1 + i;
          picture.data.set(
            [0, 1, 2].map((k) => paper[k] + (colour[k] - paper[k]) * share),
            (y * maps.width + x) * 4,
          );
        }
    context.putImageData(picture, 0, 0);
  }

  // Cover 4 × 4 pixels, here and there: how far does the answer's score fall?
  function mattered() {
    stop();
    const best = scores.indexOf(Math.max(...scores)),
      patch = 4,
      falls = new Float64Array(N * N),
      times = new Float64Array(N * N);
    let row = 0;
    const result = [];
    stop = cg.play(() => {
      for (let column = 0; column <= N - patch; column += 2) {
        const covered = Float32Array.from(seen);
        for (let i = 0; i < patch; i++) covered.fill(0, (row + i) * N + column, (row + i) * N + column + patch);
        const fall = scores[best] - logits(covered)[best];
        result.push([row, column, fall]);
        for (let i = 0; i < patch; i++)
          for (let j = 0; j < patch; j++) {
            const at = (row + i) * N + column + j;
            falls[at] += fall;
            times[at] += 1;
          }
      }
      row += 2;
      if (row <= N - patch) return true;
      const mean = falls.map((one, i) => one / times[i]);
      let most = 0;
      for (const one of mean) most = Math.max(most, Math.abs(one));
      matteredCells.forEach((cell, i) => {
        cg.shade(cell, most ? (0.85 * Math.abs(mean[i])) / most : 0, mean[i] > 0 ? colours.red : colours.blue);
      });
      words.textContent = `Orange-red: where covering 4 × 4 pixels lowers the score of ${best}, by up to ${number(Math.max(...result.map(([, , fall]) => fall)), 3)}. Blue: where it raises it.`;
      cg.say(words.textContent);
      root.cellgrad.falls = result;
      return false;
    }, 0);
  }

  const renderSoon = cg.once(render),
    followSoon = cg.once(follow);
  Object.assign(root.cellgrad, {
    logits,
    centred: (strokes) => [...centred(strokes)],
    changed: (pixels, how) => [...changed(pixels, how)],
    massCentre,
  });
  render();
  renderMaps();
}
