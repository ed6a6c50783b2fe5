// Hard digits: a card at a time, guessed by the reader before it is turned.

function figure(root, data, cg) {
  const { colours } = cg;
  const cards = cg.findAll("[data-card]"),
    said = cg.findAll("[data-said]");
  const state = { card: 0, guesses: data.labels.map(() => null) };

  const steps = cg.group(cg.panel, "Cards");
  cg.button(steps, "Before", () => choose(state.card - 1));
  cg.button(steps, "Next", () => choose(state.card + 1));
  const which = cg.add(steps, "span", { class: "cg-now" });
  const ask = cg.add(cg.panel, "p", {}, "What do you read?");
  const buttons = cg.group(cg.panel, "What do you read?");
  const digits = Array.from({ length: 10 }, (_, digit) =>
    cg.button(buttons, String(digit), () => guess(digit), { "aria-pressed": "false" }),
  );
  const words = cg.add(cg.panel, "div", { class: "cg-words" });
  const bars = cg.add(cg.panel, "div", { class: "cg-votes" });
  const score = cg.add(cg.panel, "p");

  function choose(card) {
    state.card = (card + data.labels.length) % data.labels.length;
    render();
  }
  function guess(digit) {
    if (state.guesses[state.card] === null) state.guesses[state.card] = digit;
    render();
  }
  cards.forEach((card, place) => {
    card.style.cursor = "pointer";
    cg.dress(card, { "aria-hidden": "true" }); // the group around the cards speaks for them
    cg.dress(card.nextElementSibling, { "aria-hidden": "true" }).style.pointerEvents = "none";
    card.addEventListener("click", () => choose(place));
  });
  cg.keys(cg.picture, {
    ArrowRight: () => choose(state.card + 1),
    ArrowLeft: () => choose(state.card - 1),
    ...Object.fromEntries(digits.map((_, digit) => [String(digit), () => guess(digit)])),
  });
  cg.dress(cg.picture, {
    role: "application",
    "aria-label": `${data.labels.length} cards; arrow keys choose one, digits guess`,
  });

  function render() {
    const { card, guesses } = state,
      mine = guesses[card],
      label = data.labels[card],
      votes = data.votes[card];
    which.textContent = `card ${card + 1} of ${data.labels.length}`;
    cards.forEach((one, place) => {
      const done = guesses[place] !== null,
        right = guesses[place] === data.labels[place];
      cg.dress(one, {
        stroke: place === card ? colours.blue : done ? (right ? colours.green : colours.red) : colours.line,
        "stroke-width": place === card ? 3.5 : done ? 2.5 : 1,
      });
      said[place].textContent = done ? `${data.labels[place]}, you: ${guesses[place]}` : String(place + 1);
    });
    digits.forEach((one, digit) => cg.dress(one, { "aria-pressed": String(digit === mine) }));
    ask.textContent = mine === null ? "What do you read?" : "You have read this one.";
    bars.textContent = words.textContent = "";
    if (mine === null) words.textContent = "Choose a digit; then the label and the networks' answers are shown.";
    else {
      words.textContent = `You read ${mine}; the label says ${label}. ${votes[label]} of ${data.networks} networks agree with the label.`;
      votes.forEach((count, digit) => {
        if (!count) return;
        const row = cg.add(bars, "div");
        cg.add(row, "span", {}, String(digit));
        cg.add(row, "span", {
          style: `width:${(70 * count) / data.networks}%;background:var(${digit === label ? "--green" : "--red"})`,
        });
        cg.add(row, "span", {}, String(count));
      });
    }
    const done = guesses.filter((one) => one !== null).length,
      right = guesses.filter((one, place) => one === data.labels[place]).length;
    const theirs = data.votes.reduce(
      (sum, one, place) => sum + (guesses[place] === null ? 0 : one[data.labels[place]] / data.networks),
      0,
    );
    score.textContent = done
      ? `With the label: you ${right} of ${done}, a network ${theirs.toFixed(1)} on average.`
      : "";
    cg.say(`${which.textContent}. ${words.textContent}`);
    Object.assign(root.cellgrad, { state, right, theirs });
  }
  render();
}
