// Numbers, durations and times for people.
import { language, t } from "./words.js";

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number in few digits. */
export function short(number) {
  if (!Number.isFinite(number)) return String(number);
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return number.toExponential(2);
  return String(Number(number.toPrecision(size >= 1000 ? 6 : 4)));
}

/** A field's value with the unit that its name tells. */
export function value(field, it) {
  if (typeof it === "boolean") return it ? t("yes") : t("no");
  if (typeof it !== "number") return String(it ?? "–");
  if (/percent$/.test(field)) return `${short(Math.round(it * 10) / 10)} %`;
  if (/bytes(_per_second)?$/.test(field)) return bytes(it) + (field.endsWith("_per_second") ? "/s" : "");
  if (/seconds$/.test(field)) return seconds(it);
  return short(it);
}

export function bytes(number) {
  let place = 0;
  while (Math.abs(number) >= 1024 && place < SIZES.length - 1) {
    number /= 1024;
    place += 1;
  }
  return `${Number(number.toPrecision(3))} ${SIZES[place]}`;
}

/** A length of time in seconds. */
export function seconds(number) {
  const size = Math.abs(number);
  if (size === 0) return "0 s";
  if (size < 0.001) return `${short(number * 1e6)} µs`;
  if (size < 1) return `${short(Math.round(number * 1e5) / 100)} ms`;
  if (size < 120) return `${Number(number.toFixed(size < 10 ? 2 : 0))} s`;
  if (size < 7200) return `${Math.round(number / 60)} min`;
  if (size < 172800) return `${Math.round(number / 3600)} h`;
  return `${Math.round(number / 86400)} ${t("days")}`;
}

/** How long ago a time was. */
export function ago(time, now = Date.now()) {
  const past = (now - new Date(time).getTime()) / 1000;
  return past < 1 ? t("now") : seconds(Math.floor(past));
}

/** A time of day, with the date where it is not today. */
export function clock(time) {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return date.toLocaleString(language(), isToday ? options : { month: "short", day: "numeric", ...options });
}

/** Labels in a line. */
export function labels(them) {
  return Object.entries(them ?? {}).map(([name, text]) => `${name}=${text}`).join(" ");
}
