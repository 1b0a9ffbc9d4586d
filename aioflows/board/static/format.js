// Texts of figures and times, and elements whose texts are never read as HTML.

function element(tag, members, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(members || {})) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter(one => one !== null && one !== undefined));
  return made;
}

const byId = id => document.getElementById(id);
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const whole = new Intl.NumberFormat("en");
const count = number => whole.format(number);

function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const two = number => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`;
  if (seconds < 172800 && seconds % 3600 === 0) return `${seconds / 3600} h`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)} h`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

// Times are those of the service: a moment is moved by the offset of the service and read as UTC.
const shifted = ms => new Date(ms + 1000 * (board.info.offset_s || 0)).toISOString();
const clock = ms => shifted(ms).slice(11, 16);
const moment = ms => shifted(ms).slice(0, 19).replace("T", " ");

function shortTime(ms) {
  const text = shifted(ms);
  return text.slice(0, 10) === shifted(serviceNow()).slice(0, 10) ? text.slice(11, 16) : text.slice(5, 16).replace("T", " ");
}

function zone() {
  const minutes = Math.round((board.info.offset_s || 0) / 60), size = Math.abs(minutes);
  const two = number => String(number).padStart(2, "0");
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
