// The form of a reminder: while somebody writes "fri 9:00", say which date that is, and fill it in.

const form = document.querySelector("form[data-when]");
const { words, when, read, repeat } = form.elements;
const shown = document.getElementById("shown");
let turn = 0;
let filled = false; // the date, or the repetition, is of the words
let repeats = false;

async function show() {
  const mine = ++turn;
  const typed = words.value.trim();
  if (!typed) return fill(when.defaultValue, "", "");
  await new Promise((resolve) => setTimeout(resolve, 250));
  if (mine !== turn) return;
  try {
    const response = await fetch(`${form.dataset.when}?${new URLSearchParams({ words: typed })}`);
    const answer = await response.json();
    if (mine !== turn) return;
    if (answer.good) fill(answer.when, answer.repeat, typed);
    else fill("", "", "");
    filled = true;
    say(answer.shown);
  } catch {
    // The server is away: it shows the date when the form is sent.
  }
}

// What the words mean. What somebody has chosen without words stays.
function fill(date, repetition, typed) {
  if (typed || filled || read.value) when.value = date;
  if (repetition && repetition !== "never") repeat.value = repetition;
  else if (repeats) repeat.value = "never";
  repeats = Boolean(repetition) && repetition !== "never";
  read.value = typed;
  filled = Boolean(typed);
  say("");
}

function say(sentence) {
  shown.textContent = sentence;
  shown.hidden = !sentence;
}

words.addEventListener("input", show);
when.addEventListener("input", () => {
  turn++;
  words.value = read.value = "";
  filled = repeats = false;
  say("");
});
for (const preset of form.querySelectorAll("[name=preset]")) {
  preset.addEventListener("click", (event) => {
    event.preventDefault();
    words.value = preset.value;
    words.focus();
    show();
  });
}
