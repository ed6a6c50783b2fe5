// What all figures share: their root element, controls that are native inputs, handles on pictures, numbers as text.

function cellgradStart(key, data, figure) {
  const script = document.currentScript;
  const around = script && script.closest(`figure[data-cg="${key}"]`);
  const waiting = [...document.querySelectorAll(`figure[data-cg="${key}"]`)].find((one) => !one.cellgrad);
  const root = around || waiting;
  if (!root || root.cellgrad) return;
  const still = root.querySelector(".cg-still"); // the picture becomes part of the page
  still.outerHTML = new TextDecoder().decode(cellgradBytes(still.src.slice(still.src.indexOf(",") + 1)));
  root.cellgrad = {}; // this copy is taken; a figure puts here what it wants to be asked for
  figure(root, data, cellgradBase(root));
  root.classList.add("cg-live");
}

function cellgradBytes(base64) {
  const letters = atob(base64),
    bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

function cellgradBase(root) {
  const svgSpace = "http://www.w3.org/2000/svg";
  // The names of colours in a picture; base.css says what they are by day and by night.
  const colours = {
    blue: "#0072B2",
    orange: "#A65F00",
    green: "#007A5A",
    red: "#C24E00",
    purple: "#96487C",
    ink: "#2B2B2B",
    faint: "#6F6F6A",
    line: "#C9C9C3",
    paper: "#FCFCFA",
  };
  const find = (selector) => root.querySelector(selector);
  const findAll = (selector) => [...root.querySelectorAll(selector)];

  function dress(element, attributes, text) {
    for (const [name, value] of Object.entries(attributes)) {
      if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
    }
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const add = (parent, tag, attributes = {}, text) =>
    parent.appendChild(dress(document.createElement(tag), attributes, text));
  const draw = (parent, tag, attributes = {}, text) =>
    parent.appendChild(dress(document.createElementNS(svgSpace, tag), attributes, text));

  // 4 significant digits, no zeros at the end, a real minus sign; as cellgrad.figures.page.number writes them.
  function number(value, digits = 4) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
    if (value === 0) return "0"; // −0 too
    const size = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
    const short =
      size < -4 || size >= digits
        ? value
            .toExponential(digits - 1)
            .replace(/\.?0+e/, "e")
            .replace("e+", "e")
        : String(Number(value.toPrecision(digits)));
    return short.replace(/-/g, "−");
  }

  // 14392 as 14,392. (toLocaleString takes the time of a frame for fifty numbers.)
  const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");

  // Spoken once the hand rests, so that a drag is not a flood of words; and what the picture is called from then on.
  let speaking;
  function say(words) {
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      put(find(".cg-said"), words);
      if (picture.getAttribute("tabindex") === null) {
        dress(picture, { "aria-label": `${root.getAttribute("aria-label")}, as it is now. ${words}` });
      }
    }, 400);
  }

  // However often it is asked for, a redraw happens once a frame; not at all when the figure has left the page.
  function once(redraw) {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        if (root.isConnected) redraw();
      });
    };
  }

  // Changes a text only where it differs: the browser lays out again whatever is touched.
  const put = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // The colours by name, as they are now, [red, green, blue]: base.css has others by night.
  let palette = {};
  function colour(name) {
    palette[name] ||= getComputedStyle(root)
      .getPropertyValue(`--${name}`)
      .match(/[0-9a-f]{2}/gi)
      .map((one) => parseInt(one, 16));
    return palette[name];
  }

  // A canvas keeps the colours that it was painted in: when day turns to night, all are painted again.
  const repaints = [];
  function nightfall() {
    if (!root.isConnected) return;
    palette = {};
    for (const repaint of repaints) repaint();
  }
  const themes = new MutationObserver(nightfall);
  for (const one of [document.documentElement, document.body]) {
    themes.observe(one, { attributeFilter: ["data-theme", "data-jp-theme-light"] });
  }
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", nightfall);

  // Squares of colour in a frame of the picture, a rectangle or an image, on a canvas behind all its lines: that costs a
  // frame less than hundreds of rectangles. `paint` is told a number for each square, how many stand in a row, and how
  // large a number is opaque; a number above zero has the colour `up`, one below zero `down`.
  function squares(frame, { up, down = up }) {
    const canvas = add(find(".cg-picture"), "canvas", { class: "cg-squares", "aria-hidden": "true" });
    if (up === "black") canvas.classList.add("cg-ink");
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => frame[name].baseVal.value);
    const share = (length) => `${(100 * length) / picture.viewBox.baseVal.width}%`;
    Object.assign(canvas.style, { left: share(x), marginTop: share(y), width: share(width) });
    canvas.style.aspectRatio = `${width} / ${height}`;
    if (frame.matches("rect")) frame.setAttribute("fill-opacity", 0);
    const context = canvas.getContext("2d");
    let shown = { values: [], columns: 1, largest: 1 };
    function repaint() {
      const { values, columns, largest } = shown,
        rows = Math.max(values.length / columns, 1);
      if (canvas.width !== columns) canvas.width = columns;
      if (canvas.height !== rows) canvas.height = rows;
      const image = context.createImageData(columns, rows),
        above = up === "black" ? [0, 0, 0] : colour(up),
        below = up === "black" ? above : colour(down);
      for (let i = 0; i < values.length; i++) {
        const [red, green, blue] = values[i] > 0 ? above : below;
        image.data[4 * i] = red;
        image.data[4 * i + 1] = green;
        image.data[4 * i + 2] = blue;
        image.data[4 * i + 3] = largest ? (255 * Math.abs(values[i])) / largest : 0; // rounded by the array
      }
      context.putImageData(image, 0, 0);
    }
    repaints.push(repaint);
    return {
      paint(values, columns, largest) {
        shown = { values, columns, largest };
        repaint();
      },
    };
  }

  const picture = find(".cg-picture > svg"),
    panel = find(".cg-panel");
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  // Calls `frame` until it returns false, `pause` milliseconds apart; with reduced motion, all at once.
  function play(frame, pause) {
    let stopped = false;
    const next = () => {
      if (stopped || !root.isConnected || frame() === false) return;
      setTimeout(() => requestAnimationFrame(next), pause);
    };
    if (calm()) {
      for (let guard = 0; guard < 10000 && frame() !== false; guard++);
    } else next();
    return () => {
      stopped = true;
    };
  }

  const group = (parent, label, extra = "") => {
    const box = add(parent, "div", { class: `cg-group ${extra}`, role: "group", "aria-label": label });
    return box;
  };

  function button(parent, label, press, attributes = {}) {
    const made = add(parent, "button", { type: "button", ...attributes }, label);
    made.addEventListener("click", press);
    return made;
  }

  // A slider with its name before it and its value after it. `show` writes the value, `spell` says it with its unit;
  // `change` is told it.
  function slider(parent, { label, spoken = label, min, max, step, value, show = number, spell = show, change }) {
    const row = add(parent, "label", { class: "cg-slider" });
    add(row, "span", { "aria-hidden": "true" }, label);
    const input = add(row, "input", { type: "range", min, max, step, "aria-label": spoken });
    const shown = add(row, "span", { class: "cg-value", "aria-hidden": "true" });
    let last;
    const set = (to) => {
      if (to === last) return; // a drag sets every slider of a figure, and moves one
      last = to;
      input.value = to;
      shown.textContent = show(to);
      input.setAttribute("aria-valuetext", spell(to));
    };
    set(value);
    input.addEventListener("input", () => {
      set(Number(input.value));
      change(Number(input.value));
    });
    return { set, input, row };
  }

  function select(parent, { label, options, value, change }) {
    const row = add(parent, "label", { class: "cg-select" });
    add(row, "span", {}, label);
    const input = add(row, "select");
    for (const [key, words] of Object.entries(options)) add(input, "option", { value: key }, words);
    input.value = value;
    input.addEventListener("change", () => change(input.value));
    return {
      set: (to) => {
        input.value = to;
      },
      input,
    };
  }

  // One of a few: radio buttons, side by side. Their common name has to be this copy's own.
  function choice(parent, { label, options, value, change }) {
    const box = add(parent, "fieldset", { class: "cg-choice" });
    add(box, "legend", {}, label);
    const name = `cg-${Math.random().toString(36).slice(2)}`;
    const inputs = Object.entries(options).map(([key, words]) => {
      const row = add(box, "label");
      const input = add(row, "input", { type: "radio", name, value: key });
      input.checked = key === value;
      add(row, "span", {}, words);
      input.addEventListener("change", () => change(key));
      return input;
    });
    return {
      set: (to) => {
        for (const input of inputs) input.checked = input.value === to;
      },
      box,
      inputs,
    };
  }

  function tick(parent, { label, value, change }) {
    const row = add(parent, "label", { class: "cg-tick" });
    const input = add(row, "input", { type: "checkbox" });
    input.checked = value;
    add(row, "span", {}, label);
    input.addEventListener("change", () => change(input.checked));
    return {
      set: (to) => {
        input.checked = to;
      },
      input,
    };
  }

  function numeral(parent, { label, value, step = "any", change }) {
    const input = add(parent, "input", { type: "number", step, "aria-label": label, class: "cg-numeral" });
    input.value = value;
    input.addEventListener("input", () => {
      if (input.value !== "" && Number.isFinite(Number(input.value))) change(Number(input.value));
    });
    return {
      set: (to) => {
        if (Number(input.value) !== to || input.value === "") input.value = to;
      },
      input,
    };
  }

  // Where a pointer is, in the units of the picture. Asking for the matrix makes the browser lay out: once a drag.
  function place(event, matrix) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    return [point.x, point.y];
  }

  // Mouse, pen or finger on `target`, pressed and moved; `hover` also tells of a mouse that is not pressed.
  function drag(target, picture, move, hover = false) {
    let held = false,
      matrix;
    const look = () => {
      matrix = picture.getScreenCTM().inverse();
    };
    target.style.touchAction = "none";
    target.addEventListener("pointerdown", (event) => {
      held = true;
      look();
      if (target.setPointerCapture) target.setPointerCapture(event.pointerId);
      move(...place(event, matrix), "down");
    });
    target.addEventListener("pointermove", (event) => {
      if (!held && !(hover && event.pointerType === "mouse")) return;
      if (!held) look();
      move(...place(event, matrix), held ? "drag" : "hover");
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      target.addEventListener(end, (event) => {
        if (held) {
          held = false;
          if (event.type === "pointerup") move(...place(event, matrix), "up");
        }
      });
    }
  }

  // A part of the picture that is a slider as well: its name and its ends.
  const handle = (target, label, [min, max]) =>
    dress(target, { role: "slider", "aria-label": label, "aria-valuemin": min, "aria-valuemax": max });

  // Arrow keys (and Home, End, Page Up, Page Down where they mean something) on a focused part of a picture.
  function keys(target, actions) {
    target.setAttribute("tabindex", "0");
    if (target !== picture) dress(picture, { role: "group" }); // an image would hide its parts from a screen reader
    target.addEventListener("keydown", (event) => {
      const action = actions[event.key];
      if (!action || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation(); // a notebook would move to the next cell
      action(event.shiftKey);
    });
  }

  const line = (from, to) => {
    const [d0, d1] = from,
      [r0, r1] = to;
    const scale = (x) => r0 + ((x - d0) / (d1 - d0)) * (r1 - r0);
    scale.back = (y) => d0 + ((y - r0) / (r1 - r0)) * (d1 - d0);
    return scale;
  };
  const path = (points) => {
    let broken = true;
    return points
      .map(([x, y]) => {
        if (!Number.isFinite(x) || !Number.isFinite(y)) {
          broken = true;
          return "";
        }
        const move = broken ? "M" : "L";
        broken = false;
        return `${move}${x.toFixed(2)} ${y.toFixed(2)}`;
      })
      .join("");
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // Keys that a figure answers to stay in the figure: JupyterLab listens to the whole page.
  root.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select, textarea, button")) event.stopPropagation();
  });

  return {
    root,
    colours,
    picture,
    panel,
    find,
    findAll,
    add,
    draw,
    dress,
    number,
    grouped,
    say,
    put,
    colour,
    repaints,
    squares,
    once,
    calm,
    play,
    group,
    button,
    slider,
    select,
    choice,
    tick,
    numeral,
    drag,
    handle,
    keys,
    line,
    path,
    clamp,
  };
}
