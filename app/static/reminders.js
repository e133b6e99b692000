// The form of a reminder: while somebody writes "fri 9:00", say which date that is, and fill it in.

const form = document.querySelector("form[data-when]");
const { words, when, read } = form.elements;
const shown = document.getElementById("shown");
let turn = 0;

async function show() {
  const mine = ++turn;
  const typed = words.value.trim();
  if (!typed) return say("");
  await new Promise((resolve) => setTimeout(resolve, 250));
  if (mine !== turn) return;
  try {
    const response = await fetch(`${form.dataset.when}?${new URLSearchParams({ words: typed })}`);
    const answer = await response.json();
    if (mine !== turn) return;
    if (answer.good) when.value = answer.when;
    read.value = answer.good ? typed : "";
    say(answer.shown);
  } catch {
    // The server is away: it shows the date when the form is sent.
  }
}

function say(sentence) {
  shown.textContent = sentence;
  shown.hidden = !sentence;
}

words.addEventListener("input", show);
when.addEventListener("input", () => {
  turn++;
  words.value = read.value = "";
  say("");
});
for (const preset of form.querySelectorAll("[data-words]")) {
  preset.addEventListener("click", (event) => {
    event.preventDefault();
    words.value = preset.dataset.words;
    words.focus();
    show();
  });
}
