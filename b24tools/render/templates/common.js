"use strict";
// What the scripts of all pages say: figures with their words, moments in the zone of the settings, ages.
// Written for the browsers of televisions as well: nothing newer than 2019.
function speak(setup) {
  var words = setup.words;
  var plural = new Intl.PluralRules(document.documentElement.lang);

  function fill(form, values) {
    return form.replace(/\{(\w+)\}/g, function (_all, name) { return values[name]; });
  }

  function count(forms, n) { return fill(forms[plural.select(n)] || forms.other, { n: n }); }

  function moment(ms, form) {
    try {
      return new Date(ms).toLocaleString("ru-RU", Object.assign({ timeZone: setup.zone }, form));
    } catch (_unknown_zone) {
      return new Date(ms).toLocaleString("ru-RU", form);
    }
  }

  function time(ms) { return moment(ms, { hour: "2-digit", minute: "2-digit" }); }

  function day(ms) { return moment(ms, { day: "2-digit", month: "2-digit" }); }

  function stamp(ms, now) { return (day(ms) === day(now) && now - ms < 864e5 ? "" : day(ms) + " ") + time(ms); }

  function ago(ms) {
    var minutes = Math.floor(ms / 60000), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (minutes < 1) return words.now;
    var text = days ? count(words.days, days) : "";
    if (!days && hours) text = fill(words.hours, { n: hours });
    if (days && days < 10 && hours % 24) text += " " + fill(words.hours, { n: hours % 24 });
    if (!days) text += (text ? " " : "") + fill(words.minutes, { n: minutes % 60 });
    return fill(words.ago, { age: text });
  }

  return { fill: fill, count: count, stamp: stamp, ago: ago };
}
