// What a page does beyond showing itself: code can be copied, and on paper it is light, with all solutions at its end.

for (const block of document.querySelectorAll(".cell_input .highlight, article section > .highlight-python .highlight")) {
  const button = document.createElement("button");
  button.className = "copy";
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("pre").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  block.append(button);
}

// A page opened as a file may not ask for its typeface in advance, and would do without it; here it may come late. The
// whole book as one document has its style, and so its typeface, inside.
if (location.protocol === "file:" && document.querySelector("link[rel=stylesheet]")) {
  const sheet = document.querySelector("link[rel=stylesheet]").href;
  for (const [file, style] of [["text", "normal"], ["text-italic", "italic"]]) {
    const source = `url("${new URL(`fonts/${file}.woff2`, sheet)}")`;
    document.fonts.add(new FontFace("STIX Two Text", source, { weight: "400 700", style, display: "swap" }));
  }
}

// The theme takes the keyboard's place from a button that is pressed; it gets it back, or when what it opened is closed.
const BUTTONS = ".primary-toggle, .secondary-toggle, .theme-switch-button, .search-button";
function giveBack({ target }) {
  const button = target.closest(BUTTONS);
  if (!button) return;
  setTimeout(() => {
    const opened = document.querySelector("dialog[open]");
    if (opened) opened.addEventListener("close", () => setTimeout(() => button.focus()), { once: true });
    else button.focus();
  });
}
document.addEventListener("click", giveBack, true); // before the theme stops the event

// A formula, table or listing that is wider than its place: if smaller letters suffice, it gets them; else the keyboard
// can move it, and it is called what it is.
const SMALLEST = { formula: 0.7, table: 0.86 };
const over = (box) => box.scrollWidth > box.clientWidth + 1;

function shrink(box, letters, least) {
  letters.style.fontSize = "";
  if (!over(box) || !box.clientWidth) return;
  const size = parseFloat(getComputedStyle(letters).fontSize);
  const share = (0.99 * box.clientWidth) / box.scrollWidth;
  letters.style.fontSize = `${size * Math.max(share, least)}px`;
  if (over(box)) letters.style.fontSize = `${size * least}px`; // what is between letters does not shrink with them
  if (over(box)) letters.style.fontSize = "";
}

function called(box) {
  if (box.matches("pre")) return "Code";
  if (box.matches(".formula")) return `Formula ${box.querySelector(".number")?.textContent ?? ""}`.trim();
  const below = (box.closest(".cell") ?? box).nextElementSibling;
  const number = below?.matches(".caption") && below.querySelector(".number")?.textContent;
  return number ? number.replace(/\.$/, "") : box.querySelector("table") ? "Table" : "Output";
}

// Three lines or more with wide gaps inside: what is printed stands in columns, and its lines must not break.
for (const printed of document.querySelectorAll(".cell_output pre")) {
  const gaps = printed.textContent.split("\n").filter((line) => /\S {2,}\S/.test(line));
  printed.classList.toggle("columns", gaps.length > 2);
}

function reach() {
  const wide = ".formula, .cell_output, .cell_output .output, .pst-scrollable-table-container, article pre";
  for (const box of document.querySelectorAll(wide)) {
    const formula = box.matches(".formula") && box.querySelector("math");
    const table = !formula && box.querySelector(":scope > table, :scope > div > table");
    if (formula) shrink(box, formula, SMALLEST.formula);
    else if (table) shrink(box, table, SMALLEST.table);
    box.onscroll = () => box.classList.toggle("moved", box.scrollLeft > 1);
    if (over(box)) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", `${called(box)}, wider than the page`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}
addEventListener("load", () => setTimeout(reach));
addEventListener("resize", reach);
addEventListener("toggle", reach, true);

// A link to what is inside a closed fold opens it.
function open() {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = place && place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}
addEventListener("hashchange", open);
open();

// A picture with a part that the keyboard can move is more than a picture; a figure may make such parts later.
function group() {
  for (const part of document.querySelectorAll("svg[role=img] [tabindex]")) part.closest("svg").setAttribute("role", "group");
}
group();
const later = { subtree: true, childList: true, attributes: true, attributeFilter: ["tabindex", "role"] };
new MutationObserver(group).observe(document.querySelector("article"), later);

// On paper: light, everything open, and the solutions of a chapter at its end. Afterwards all is as it was.
const undo = [];

function solutionsToTheEnd(article) {
  const solutions = [...article.querySelectorAll("details.solution")];
  if (!solutions.length) return;
  const end = document.createElement("section");
  end.className = "solutions";
  end.append(Object.assign(document.createElement("h2"), { textContent: "Solutions" }));
  for (const solution of solutions) {
    let exercise = solution.previousElementSibling;
    while (exercise && !exercise.classList.contains("exercise")) exercise = exercise.previousElementSibling;
    const place = document.createComment("solution");
    const summary = solution.querySelector("summary");
    const title = summary.textContent;
    const number = exercise?.querySelector("strong")?.textContent;
    if (number) summary.textContent = `Exercise ${number}`;
    solution.replaceWith(place);
    end.append(solution);
    undo.push(() => { place.replaceWith(solution); summary.textContent = title; });
  }
  article.append(end);
  undo.push(() => end.remove());
}

addEventListener("beforeprint", () => {
  const { theme } = document.documentElement.dataset;
  document.documentElement.dataset.theme = "light";
  undo.push(() => { document.documentElement.dataset.theme = theme; });
  document.querySelectorAll("article").forEach(solutionsToTheEnd);
  for (const fold of document.querySelectorAll("article details:is(:not(.fold), .guess):not([open])")) {
    fold.open = true;
    undo.push(() => { fold.open = false; });
  }
});
addEventListener("afterprint", () => { while (undo.length) undo.pop()(); });
