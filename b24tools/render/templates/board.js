// Asks for the leaderboard again and again and changes on the page only what has changed.
// Written for the browsers of televisions as well: nothing newer than 2019.
(function () {
  var setup = JSON.parse(document.getElementById("setup").textContent);
  var words = setup.words;
  var root = document.documentElement;
  var calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  var say = speak(setup), fill = say.fill, count = say.count, stamp = say.stamp, ago = say.ago;
  // without the name and password that may stand in the address: fetch() refuses those
  var base = location.origin + location.pathname.replace(/\/board\/*$/, "/");

  var EVERY_MS = 10000, AGAIN_MS = 3000, TIMEOUT_MS = 15000, MOVE_MS = 900;
  var known = {};          // by question: its ETag and what was answered
  var aheadMs = 0;         // the server's clock minus ours: that of a television may be anything
  var reachedAt = Date.now();
  var failures = 0;
  var trouble = "";
  var timer = 0;
  var asking = false;
  var asOf = null, mode = "", ends = 0;

  function element(id) { return document.getElementById(id); }

  function put(node, text) { if (node.textContent !== text) node.textContent = text; }

  // What turns the direction of writing, and what else cannot be seen in a name, would garble the row.
  function clean(name) {
    return name.replace(/[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, "");
  }

  function decimal(value, digits) { return value.toFixed(digits).replace(".", words.mark); }

  function short(value) { return value % 1 ? decimal(value, 1) : String(value); }

  // asking

  function ask(question) {
    var before = known[question];
    var stop = new AbortController();
    var limit = setTimeout(function () { stop.abort(); }, TIMEOUT_MS);
    var options = { cache: "no-store", credentials: "same-origin", signal: stop.signal };
    if (before) options.headers = { "If-None-Match": before.tag };
    return fetch(base + "leaderboard?" + question, options).then(function (answer) {
      var date = Date.parse(answer.headers.get("Date"));
      if (!isNaN(date)) aheadMs = date - Date.now();
      if (answer.status === 304 && before) return before.data;
      if (!answer.ok) throw answer.status;
      return answer.json().then(function (data) {
        known[question] = { tag: answer.headers.get("ETag") || "", data: data };
        return data;
      });
    }).then(function (data) { clearTimeout(limit); return data; }, function (error) { clearTimeout(limit); throw error; });
  }

  function refresh() {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    Promise.all([ask(setup.people), ask(setup.teams)]).then(function (answers) {
      failures = 0;
      reachedAt = Date.now();
      // a new week has begun, or a month is final now
      if (answers[0].period.label !== setup.label || Boolean(answers[0].frozen) !== setup.frozen) location.reload();
      else show(answers[0], answers[1]);
    }, function (error) {
      failures += 1;
      trouble = typeof error === "number" ? fill(words.refused, { status: error }) : "";
    }).catch(function (error) { console.error(error); }).then(function () {
      asking = false;
      showAge();
      timer = setTimeout(refresh, failures ? AGAIN_MS : EVERY_MS);
    });
  }

  // the age of the data

  function showAge() {
    var now = Date.now() + aheadMs, away = failures > 1;
    var age = asOf === null ? 0 : Math.max(0, now - asOf);
    var text = asOf === null ? "" : fill(words.age, { moment: stamp(asOf, now), ago: ago(age), mode: mode });
    if (away) text = trouble || fill(words.away, { moment: stamp(reachedAt + aheadMs, now) });
    put(element("age"), text);
    root.classList.toggle("away", away);
    root.classList.toggle("old", !away && now < ends && age > setup.old_s * 1000); // what is over does not age
  }

  // the rows

  function show(people, teams) {
    asOf = people.as_of === null ? null : Date.parse(people.as_of);
    mode = people.mode;
    ends = Date.parse(people.period.to);
    var rows = people.rows;
    var figure = people.by === "hours" ? "hours" : "tasks";
    root.classList.toggle("first", rows.every(function (row) { return row.moved === "new"; }));
    element("people").style.setProperty("--rows", Math.max(6, rows.length));
    lay(element("people"), rows, "user_id", function (row) { return row[figure]; }, people.by === "hours" ? 1 : 0);
    var some = teams.totals.rows > 1 && teams.rows.length > 0;
    element("teams").hidden = !some;
    if (some) {
      var list = element("teams").querySelector("ol");
      list.style.setProperty("--cards", teams.rows.length);
      lay(list, teams.rows, "department_id", function (row) { return row.per_person; }, 2);
    }
    var all = people.totals, middle = people.benchmarks;
    put(element("totals"), rows.length ? [
      count(words.people, all.rows), count(words.tasks, all.tasks)
    ].concat(all.hours ? [fill(words.hours, { n: decimal(all.hours, 1) })] : []).join(" · ") : "");
    put(element("benchmarks"), middle.ranked > 1 ? [fill(words.median, { n: short(middle.median) })].concat(
      middle.first_quarter === null ? [] : [fill(words.quarter, { n: short(middle.first_quarter) })]
    ).join(" · ") : "");
    showGoal(people.goal);
    element("benchmarks").hidden = middle.ranked < 2;
    element("empty").hidden = rows.length > 0;
    put(element("empty").querySelector("p"),
      all.tasks ? (figure === "hours" && !all.hours ? words.no_hours : words.unnamed)
        : asOf === null ? words.no_data : words.empty);
    put(element("note"), words.incomplete);
    element("note").hidden = people.period.complete || !rows.length;
  }

  function showGoal(goal) {
    var box = element("goal");
    box.hidden = goal === null;
    if (goal === null) return;
    var share = goal.done / goal.target;
    put(box.firstElementChild, fill(words.goals[goal.unit], {
      done: short(goal.done), target: short(goal.target), percent: Math.floor(100 * share)
    }) + ", " + fill(words.present, { present: short(goal.present), members: goal.members }));
    box.classList.toggle("reached", share >= 1);
    box.lastElementChild.firstChild.style.width = Math.min(100, 100 * share) + "%";
  }

  function lay(list, rows, key, figure, digits) {
    var old = {}, tops = {};
    Array.prototype.forEach.call(list.children, function (item) {
      old[item.dataset.id] = item;
      tops[item.dataset.id] = item.getBoundingClientRect();
    });
    var started = list.children.length > 0;
    var most = rows.reduce(function (most, row) { return Math.max(most, figure(row) || 0); }, 0);
    var longest = decimal(most, digits).length;
    list.style.setProperty("--figure", Math.max(5.4, 1.85 * longest) + "rem");
    var items = rows.map(function (row) {
      var item = old[row[key]] || made(row[key]);
      write(item, row, figure(row), most, digits, started);
      return item;
    });
    Array.prototype.slice.call(list.children).forEach(function (item) {
      if (items.indexOf(item) < 0) list.removeChild(item);
    });
    items.forEach(function (item, number) {
      if (list.children[number] !== item) list.insertBefore(item, list.children[number] || null);
    });
    if (started && !calm.matches) items.forEach(function (item) { move(item, tops[item.dataset.id]); });
  }

  function made(id) {
    var item = document.createElement("li");
    item.dataset.id = id;
    [["span", "place"], ["span", "moved"], ["span", "who"], ["bdi", "team"], ["span", "bar"], ["b", "figure"]].forEach(
      function (one) { item.appendChild(document.createElement(one[0])).className = one[1]; }
    );
    item.children[2].appendChild(document.createElement("bdi")).className = "name";
    item.children[2].appendChild(document.createElement("span")).className = "badge";
    item.children[4].appendChild(document.createElement("i"));
    return item;
  }

  function write(item, row, value, most, digits, started) {
    var part = item.children;
    var way = row.moved === "new" ? "new" : row.moved > 0 ? "up" : row.moved < 0 ? "down" : "same";
    var look = way + (row.place < 4 && value ? " medal" + row.place : "") + (row.department ? "" : " alone");
    if (item.className !== look) item.className = look;
    put(part[0], String(row.place));
    put(part[1], way === "new" ? words.new : row.moved ? String(Math.abs(row.moved)) : "");
    var name = part[2].firstChild, badge = row.badges && row.badges[0], who = clean(row.shown || row.name);
    put(name, who);
    put(part[2].lastChild, badge ? words.badges[badge] : "");
    put(part[3], clean(row.department || ""));
    name.title = who;
    var text = value === null ? "–" : decimal(value, digits);
    if (started && part[5].textContent && part[5].textContent !== text) glow(item);
    put(part[5], text);
    var width = most ? Math.max(1, 100 * (value || 0) / most) + "%" : "0";
    if (part[4].firstChild.style.width !== width) part[4].firstChild.style.width = width;
  }

  function move(item, before) {
    if (!item.animate) return;
    if (!before) {
      item.animate([{ opacity: 0 }, { opacity: 1 }], { duration: MOVE_MS });
      return;
    }
    var after = item.getBoundingClientRect();
    var x = before.left - after.left, y = before.top - after.top;
    if (Math.abs(x) + Math.abs(y) < 1) return;
    item.animate(
      [{ transform: "translate(" + x + "px," + y + "px)" }, { transform: "none" }],
      { duration: MOVE_MS, easing: "cubic-bezier(.3, 0, .2, 1)" }
    );
  }

  function glow(item) {
    if (!item.animate || calm.matches) return;
    var color = getComputedStyle(root).getPropertyValue("--glow");
    item.animate([{ boxShadow: "inset 0 0 0 100vw " + color }, { boxShadow: "inset 0 0 0 100vw transparent" }], 2500);
  }

  element("rules").lastElementChild.href = base + "leaderboard/rules?" + setup.rules;
  window.addEventListener("online", refresh);
  document.addEventListener("visibilitychange", function () { if (!document.hidden) refresh(); });
  setInterval(showAge, 5000);
  refresh();
})();
