// Fields for the answers to exercises: what `cellgrad.check` says, without a kernel. Nothing is sent anywhere.
(() => {
  const words = "WORDS";

  // FNV-1a, 32 bits, as in cellgrad.exercises.kinds.seal.
  const seal = (...parts) => {
    let number = 2166136261;
    for (const byte of new TextEncoder().encode(["cells to convnets", ...parts].join("/")))
      number = Math.imul(number ^ byte, 16777619) >>> 0;
    return number.toString(16).padStart(8, "0");
  };

  // The same forms as in cellgrad.exercises.reading: 1/8, 12 %, 4,239,872, 0,25, 3.5 s.
  const readNumber = (text) => {
    text = text.trim().replace(/([\d.%])\s*[°a-zA-Z]+$/, "$1");
    if (text.endsWith("%")) return readNumber(text.slice(0, -1)) / 100;
    const parts = text.split("/");
    if (parts.length === 2) return readNumber(parts[0]) / readNumber(parts[1]);
    if (/^[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/.test(text)) text = text.replaceAll(",", "");
    else if (/^[-+]?\d*,\d+$/.test(text)) text = text.replace(",", ".");
    return /^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  };

  const readNumbers = (text, count) => {
    text = text.replaceAll("−", "-").replace(/[()[\]{}]/g, " ").trim();
    text = text.replace(/\s+(?=%)/g, "").replace(/\s*([/^])\s*/g, "$1");
    text = text.replace(/\s*[×*·]\s*10(\^|\*\*)/g, "e");
    let parts = text.split(/;\s*|,\s+|\s+and\s+|\s+(?=[-+.\d])/).filter(Boolean);
    if (parts.length !== count && text.split(",").length === count) parts = text.split(",");
    return parts.map(readNumber);
  };

  const fits = (asked, pattern, numbers) =>
    numbers.map((number, place) => {
      const step = Math.floor(number / pattern.units[place] + 0.5);
      const off = Math.abs(number / pattern.units[place] - step);
      return pattern.seals[place].includes(seal(asked.number, place, step)) && (!pattern.whole || off < 1e-6);
    });

  const judge = (asked, numbers, said) => {
    const found = asked.patterns.find((pattern) => fits(asked, pattern, numbers).every(Boolean));
    if (found && found.says === null) return words.right;
    let text = found ? found.says : "";
    const right = asked.patterns.filter((pattern) => pattern.says === null);
    if (!found && right.length === 1) {
      const missing = fits(asked, right[0], numbers);
      if (missing.some(Boolean))
        text = words.halfway + asked.names.filter((name, place) => !missing[place]).join(", ") + ".";
    }
    return [text, ...asked.hints].find((news) => news && !said.includes(news)) || words.end;
  };

  for (const place of document.querySelectorAll("div.answer")) {
    const asked = JSON.parse(place.dataset.answer);
    const count = Math.max(1, asked.names.length);
    const name = `answer-${asked.number.replace(".", "-")}`;
    const form = document.createElement("form");
    form.innerHTML =
      `<label for="${name}">Your answer: ${asked.label}</label>` +
      `<input id="${name}" type="text" autocomplete="off" autocapitalize="off" spellcheck="false">` +
      `<button type="submit">Check</button><p role="status"></p>`;
    const [input, reply] = [form.querySelector("input"), form.querySelector("p")];
    let said = [];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const numbers = readNumbers(input.value, count);
      if (numbers.length !== count || !numbers.every(Number.isFinite)) {
        reply.textContent = count > 1 ? words.several.replace("{count}", count) : words.one;
        form.dataset.state = "unreadable";
        return;
      }
      const text = judge(asked, numbers, said);
      const right = text === words.right;
      said = right ? [] : [...said, text];
      reply.textContent = text;
      form.dataset.state = right ? "right" : "not-yet";
    });
    place.append(form);
  }
})();
