// Pictures in the editor: chosen with a button, pasted or dropped. Without scripts /pictures takes them.

const form = document.querySelector("[data-editor]");
const chooser = document.querySelector("[data-pictures]");
const button = form.querySelector("[data-add-picture]");
const result = form.querySelector("[data-picture-result]");
const text = form.elements.text;

button.hidden = false;
button.addEventListener("click", () => chooser.click());
chooser.addEventListener("change", () => addAll(chooser.files).then(() => (chooser.value = "")));
text.addEventListener("paste", (event) => take(event, event.clipboardData));
text.addEventListener("drop", (event) => take(event, event.dataTransfer));

function take(event, data) {
  const files = [...data.files].filter((file) => file.type.startsWith("image/"));
  if (!files.length) return;
  event.preventDefault();
  addAll(files);
}

async function addAll(files) {
  for (const file of files) await add(file);
}

async function add(file) {
  say(`Uploading ${file.name}…`);
  try {
    if (file.size > chooser.dataset.most) throw new Error(`${file.name} is too large: a picture may have ${chooser.dataset.most / 1e6} MB.`);
    const body = new FormData();
    body.set("csrf_token", form.elements.csrf_token.value);
    body.set("picture", file);
    const answer = await fetch(chooser.dataset.pictures, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "error" });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.error ?? "The picture was not stored. Try again in a minute.");
    insert(said.markdown);
    say(said.note || "Picture added. Write in the brackets what it shows.");
  } catch (error) {
    say(error.message, true);
  }
}

// In a paragraph of its own, with the caret in the brackets.
function insert(line) {
  const at = text.selectionEnd;
  const before = blank(text.value.slice(0, at).match(/\n*$/)[0], at === 0);
  const after = blank(text.value.slice(at).match(/^\n*/)[0], false);
  text.setRangeText(before + line + after, at, at, "end");
  text.focus();
  text.selectionStart = text.selectionEnd = at + before.length + 2;
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

// What is missing of a blank line, where these line ends are already.
function blank(there, edge) {
  return edge ? "" : "\n".repeat(Math.max(2 - there.length, 0));
}

function say(sentence, wrong = false) {
  result.textContent = sentence;
  result.className = wrong ? "error" : "hint";
}
