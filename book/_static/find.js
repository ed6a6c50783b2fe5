// Looks for words in the book's sections. A word may have a typing error: one letter wrong, missing, too many, or two
// changed places; two errors from eight letters on.

const letters = (text) => text.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");
const wordsOf = (text) => letters(text).match(/[\p{L}\p{N}]+/gu) || [];

// How many changes lead from one word to the other (Damerau and Levenshtein), counted only up to a limit.
function distance(a, b, limit) {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}

const sections = SECTIONS.map(([page, name, heading, title, text]) => (
  { page, name, heading, title, text, inTitle: new Set(wordsOf(title)), inText: wordsOf(text) }
));
const vocabulary = new Set(sections.flatMap((section) => [...section.inTitle, ...section.inText]));

// The words of the book that a typed word can stand for: those that begin with it, or else the nearest ones.
function meanings(typed) {
  const begun = [...vocabulary].filter((word) => word.startsWith(typed));
  if (begun.length || typed.length < 4) return new Set(begun);
  const limit = typed.length < 8 ? 1 : 2;
  const near = [...vocabulary].map((word) => [distance(typed, word, limit), word]).filter(([far]) => far <= limit);
  const nearest = Math.min(...near.map(([far]) => far));
  return new Set(near.filter(([far]) => far === nearest).map(([, word]) => word));
}

function search(query) {
  const wanted = wordsOf(query).map(meanings);
  if (!wanted.length) return { hits: [], wanted };
  const hits = [];
  for (const section of sections) {
    let score = 0;
    for (const words of wanted) {
      const inTitle = [...section.inTitle].some((word) => words.has(word));
      const inText = section.inText.filter((word) => words.has(word)).length;
      if (!inTitle && !inText) { score = 0; break; }
      score += (inTitle ? 20 : 0) + Math.min(inText, 5) + (section.page === "glossary" && inTitle ? 30 : 0);
    }
    if (score) hits.push([score, section]);
  }
  return { hits: hits.sort((a, b) => b[0] - a[0]).map(([, section]) => section), wanted };
}

// A piece of the text around the first word that was found, with all of them marked.
function excerpt(text, wanted) {
  const pieces = text.split(/([\p{L}\p{N}]+)/u);
  const hit = (piece) => wanted.some((words) => words.has(letters(piece)));
  const first = Math.max(0, pieces.findIndex(hit) - 24);
  const paragraph = document.createElement("p");
  if (first) paragraph.append("… ");
  for (const piece of pieces.slice(first, first + 70)) {
    paragraph.append(hit(piece) ? Object.assign(document.createElement("mark"), { textContent: piece }) : piece);
  }
  if (first + 70 < pieces.length) paragraph.append(" …");
  return paragraph;
}

const field = document.getElementById("query");
const found = document.getElementById("found");
const results = document.getElementById("results");

function show() {
  const { hits, wanted } = search(field.value);
  const meant = wanted.map((words, n) => [wordsOf(field.value)[n], words]).filter(([typed, words]) => words.size
    && ![...words].some((word) => word.startsWith(typed)));
  const many = `${hits.length} ${hits.length === 1 ? "section" : "sections"}`;
  found.textContent = !field.value.trim() ? "" : hits.length ? many : "No section has all of these words.";
  if (meant.length && hits.length) found.textContent += `, for ${meant.map(([, words]) => [...words].join(" or ")).join(", ")}`;
  results.replaceChildren(...hits.slice(0, 40).map((section) => {
    const link = document.createElement("a");
    link.href = `${section.page}.html#${section.name}`;
    link.textContent = section.heading === section.title ? section.title : `${section.heading}: ${section.title}`;
    const item = document.createElement("li");
    item.append(link, excerpt(section.text, wanted));
    return item;
  }));
}

field.value = new URLSearchParams(location.search).get("q") || "";
field.addEventListener("input", show);
field.focus();
show();
