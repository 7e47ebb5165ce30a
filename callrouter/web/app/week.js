// Hours of a week, as they are written: "mon-fri 09:00-12:30, 13:30-17:30; sat 10:00-14:00".

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY = 24 * 60;

/** The spans of a week as [day, from, to] in minutes of the day, in order; null: it cannot be read. */
export function spans(text) {
  const found = [];
  for (const part of String(text).toLowerCase().split(";").map((item) => item.trim()).filter(Boolean)) {
    const cut = part.search(/\d/);
    const days = cut < 0 ? null : daysOf(part.slice(0, cut).trim());
    if (!days) return null;
    for (const piece of part.slice(cut).split(",")) {
      const match = /^\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*$/.exec(piece);
      if (!match) return null;
      const [from, to] = [Number(match[1]) * 60 + Number(match[2]), Number(match[3]) * 60 + Number(match[4])];
      if (from >= DAY || to > DAY || from === to) return null;
      for (const day of days) {
        if (to > from) found.push([day, from, to]);
        else found.push([day, from, DAY], ...(to ? [[(day + 1) % 7, 0, to]] : []));
      }
    }
  }
  return found;
}

function daysOf(text) {
  if (text === "daily" || text === "") return DAYS.map((_, n) => n);
  const days = [];
  for (const part of text.split(",").map((item) => item.trim())) {
    const [first, last = first] = part.split("-").map((name) => DAYS.indexOf(name.trim()));
    if (first < 0 || last < 0) return null;
    for (let day = first; ; day = (day + 1) % 7) { days.push(day); if (day === last) break; }
  }
  return days;
}

/** The names of the seven days, from Monday, in a language. */
export const dayNames = (locale) => DAYS.map((_, n) => new Intl.DateTimeFormat(locale, { weekday: "short", timeZone: "UTC" }).format(new Date(Date.UTC(2024, 0, 1 + n))));
