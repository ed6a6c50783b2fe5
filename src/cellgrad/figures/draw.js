// Draw a digit: strokes become pixels as MNIST's were made, and the network, from its layer list, reads them.

function figure(root, data, cg) {
  const { number, colours } = cg;
  const part = Object.fromEntries(cg.findAll("[data-part]").map((one) => [one.dataset.part, one]));
  const N = 28;
  const weights = Object.fromEntries(
    Object.entries(data.weights).map(([name, text]) => [name, Float64Array.from(new Float32Array(cellgradBytes(text).buffer))]),
  );
  const allDigits = cellgradBytes(data.digits);
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
  // How a layer's window slides over its padded input: where it starts at each place, and how far its pixels are from
  // there, in one channel. The same for every image.
  const sliding = new Map();
  function slide(layer) {
    if (sliding.has(layer)) return sliding.get(layer);
    const [[kh, kw], [sh, sw], [ph, pw], [dh, dw]] = ["kernel", "stride", "padding", "dilation"].map((name) =>
      pair(layer[name]),
    );
    const [, high, wide] = layer.input,
      [, rows, columns] = layer.output,
      tall = high + 2 * ph,
      broad = wide + 2 * pw;
    const starts = Int32Array.from({ length: rows * columns }, (_, i) => {
      return Math.floor(i / columns) * sh * broad + (i % columns) * sw;
    });
    const taps = Int32Array.from({ length: kh * kw }, (_, tap) => {
      return Math.floor(tap / kw) * dh * broad + (tap % kw) * dw;
    });
    sliding.set(layer, { starts, taps, plane: tall * broad, broad, inset: ph * broad + pw });
    return sliding.get(layer);
  }
  function padded(layer, x, border) {
    const [channels, high, wide] = layer.input,
      { plane, broad, inset } = slide(layer);
    if (plane === high * wide) return x;
    const result = new Float64Array(channels * plane).fill(border);
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < high; i++) {
        const from = (c * high + i) * wide;
        result.set(x.subarray(from, from + wide), c * plane + inset + i * broad);
      }
    return result;
  }
  const compute = {
    // Four output channels at a time: each pixel is fetched once for all four.
    conv(layer, x) {
      const y = new Float64Array(count(layer.output)),
        w = weights[`${layer.name}.weight`],
        bias = weights[`${layer.name}.bias`];
      const { starts, taps, plane } = slide(layer),
        each = layer.input[0] / layer.groups,
        outs = layer.output[0] / layer.groups,
        reach = each * taps.length;
      const offsets = Int32Array.from({ length: reach }, (_, k) => {
        return Math.floor(k / taps.length) * plane + taps[k % taps.length];
      });
      const pixels = padded(layer, x, 0);
      for (let group = 0; group < layer.groups; group++)
        for (let first = 0; first < outs; first += 4) {
          const four = [0, 1, 2, 3].map((n) => group * outs + Math.min(first + n, outs - 1)),
            [a, b, c, d] = four,
            [at, bt, ct, dt] = four.map((out) => out * reach),
            [a0, b0, c0, d0] = four.map((out) => (bias ? bias[out] : 0));
          for (let place = 0; place < starts.length; place++) {
            const start = group * each * plane + starts[place];
            let sa = a0,
              sb = b0,
              sc = c0,
              sd = d0;
            for (let k = 0; k < reach; k++) {
              const pixel = pixels[start + offsets[k]];
              sa += w[at + k] * pixel;
              sb += w[bt + k] * pixel;
              sc += w[ct + k] * pixel;
              sd += w[dt + k] * pixel;
            }
            y[a * starts.length + place] = sa;
            y[b * starts.length + place] = sb;
            y[c * starts.length + place] = sc;
            y[d * starts.length + place] = sd;
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
  function pooled(layer, x, border, join) {
    const { starts, taps, plane } = slide(layer),
      pixels = padded(layer, x, border),
      y = new Float64Array(count(layer.output));
    for (let c = 0; c < layer.input[0]; c++)
      for (let place = 0; place < starts.length; place++) {
        let one = border;
        for (const tap of taps) one = join(one, pixels[c * plane + starts[place] + tap]);
        y[c * starts.length + place] = one;
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
        : nothing
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
      spell: (value) => `${number(value)} degrees anticlockwise`,
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
      spell: (value) => `${number(value)} pixels`,
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
      spell: (value) => `${number(value)} pixels`,
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

  part["drawing-ink"].textContent = part["seen-ink"].textContent = ""; // the still picture's
  const sheet = cg.squares(part.drawing, { up: "black" }),
    given = cg.squares(part.seen, { up: "black" }),
    marks = cg.squares(part.seen, { up: "red", down: "blue" });
  const nothing = new Float32Array(N * N);
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
    else given.paint(changed(source(), state), N, 255);
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
    sheet.paint(state.digit === null ? nothing : testDigit(state.digit), N, 255);
    drawLine();
    given.paint(seen, N, 255);
    marks.paint(nothing, N, 1);
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
      [warm, cold, paper, line] = ["red", "blue", "paper", "line"].map(cg.colour);
    const picture = context.createImageData(maps.width, maps.height),
      most = values.reduce((largest, one) => Math.max(largest, Math.abs(one)), 0) || 1;
    for (let i = 0; i < picture.data.length; i += 4) picture.data.set([...line, 255], i);
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < high; i++)
        for (let j = 0; j < wide; j++) {
          const value = values[(c * high + i) * wide + j],
            to = value > 0 ? warm : cold,
            x = (c % columns) * (wide + 1) + 1 + j,
            y = Math.floor(c / columns) * (high + 1) + 1 + i;
          for (let k = 0; k < 3; k++) {
            picture.data[4 * (y * maps.width + x) + k] = paper[k] + ((to[k] - paper[k]) * Math.abs(value)) / most;
          }
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
      marks.paint(mean, N, most / 0.85);
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
  cg.repaints.push(renderMaps);
  render();
  clearTimeout(mapping); // the first maps stand at once
  renderMaps();
}
