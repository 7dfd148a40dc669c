// Fetches the page itself again and again and takes over its <main>; says how old the data are, and who is away.
// Everything else, filters and switches, is links and forms that work without it.
(function () {
  var setup = JSON.parse(document.getElementById("setup").textContent);
  var say = speak(setup), words = setup.words;
  var root = document.documentElement, age = document.getElementById("age"), button = document.getElementById("fresh");
  var EVERY_MS = 60000, AGAIN_MS = 10000, TIMEOUT_MS = 90000;
  var policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("planner", { createHTML: function (text) { return text; } })
    : { createHTML: function (text) { return text; } };
  var aheadMs = setup.now * 1000 - Date.now(); // the server's clock minus ours: that of a television may be anything
  var reachedAt = Date.now(), failures = 0, trouble = "", timer = 0, asking = false;

  var shown = document.getElementById("main").innerHTML;

  // the address without what asks for news, and without a name and password, which fetch() refuses
  function address(fresh) {
    var query = new URLSearchParams(location.search);
    query.delete("fresh");
    if (fresh) query.set("fresh", "1");
    return location.origin + location.pathname + (String(query) ? "?" + query : "");
  }

  function refresh(fresh) {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    root.classList.toggle("asking", fresh === true);
    var stop = new AbortController();
    var limit = setTimeout(function () { stop.abort(); }, TIMEOUT_MS);
    var options = { cache: "no-store", credentials: "same-origin", signal: stop.signal, headers: { Accept: "text/html" } };
    fetch(address(fresh === true), options).then(function (answer) {
      if (!answer.ok) throw answer.status;
      return answer.text();
    }).then(function (text) {
      failures = 0;
      reachedAt = Date.now();
      take(new DOMParser().parseFromString(policy.createHTML(text), "text/html"));
    }).catch(function (error) {
      failures += 1;
      trouble = typeof error === "number" ? say.fill(words.refused, { status: error }) : "";
      if (typeof error !== "number" && error.name !== "TypeError" && error.name !== "AbortError") console.error(error);
    }).then(function () {
      clearTimeout(limit);
      asking = false;
      root.classList.remove("asking");
      showAge();
      timer = setTimeout(refresh, failures || isOld() ? AGAIN_MS : EVERY_MS);
    });
  }

  // The portal was slow, and may be read by now.
  function isOld() {
    return age !== null && Date.now() + aheadMs - Date.parse(age.dataset.at) >= EVERY_MS + AGAIN_MS;
  }

  // Rows out of sight are not laid out: they are taken for as high as they were.
  function keepHeights(old, news) {
    Array.prototype.forEach.call(news.querySelectorAll(".row[id], .sheet[id]"), function (one) {
      var before = old.querySelector("#" + CSS.escape(one.id));
      if (!before) return;
      var style = getComputedStyle(before), inner = before.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
      one.style.containIntrinsicHeight = "auto " + inner + "px";
    });
  }

  // Take over what is new, and leave where the reader was.
  function take(page) {
    var main = document.getElementById("main"), news = page.getElementById("main"), active = document.activeElement;
    var newAge = page.getElementById("age");
    aheadMs = JSON.parse(page.getElementById("setup").textContent).now * 1000 - Date.now();
    if (age && newAge) {
      age.className = newAge.className;
      age.dataset.at = newAge.dataset.at;
      age.dataset.problem = newAge.dataset.problem || "";
    }
    var text = news ? news.innerHTML : shown;
    if (text === shown) return;
    if (main.contains(active) && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName)) return; // somebody is typing
    shown = text;
    keepHeights(main, news);
    var mark = main.contains(active) ? describe(active) : "";
    var scrolled = Array.prototype.map.call(main.querySelectorAll(".scroll"), function (one) {
      return [one.scrollLeft, one.scrollTop];
    });
    var open = Array.prototype.map.call(main.querySelectorAll("details"), function (one) { return one.open; });
    main.replaceChildren.apply(main, Array.prototype.slice.call(document.importNode(news, true).childNodes));
    Array.prototype.forEach.call(main.querySelectorAll(".scroll"), function (one, number) {
      if (!scrolled[number]) return;
      one.scrollLeft = scrolled[number][0];
      one.scrollTop = scrolled[number][1];
    });
    Array.prototype.forEach.call(main.querySelectorAll("details"), function (one, number) { one.open = !!open[number]; });
    if (!mark) return;
    var same = Array.prototype.filter.call(main.querySelectorAll(active.tagName), function (one) {
      return describe(one) === mark;
    })[0];
    if (same) same.focus({ preventScroll: true });
  }

  function describe(element) {
    return ["href", "id", "class"].map(function (name) { return element.getAttribute(name) || ""; }).join("|");
  }

  function showAge() {
    if (!age) return;
    var now = Date.now() + aheadMs, away = failures > 1, at = Date.parse(age.dataset.at);
    var text = isNaN(at) ? "" : say.fill(words.age, { moment: say.stamp(at, now), ago: say.ago(Math.max(0, now - at)) });
    if (age.dataset.problem) text += (text ? ". " : "") + age.dataset.problem;
    if (away) text = trouble || say.fill(words.away, { moment: say.stamp(reachedAt + aheadMs, now) });
    if (age.textContent !== text) age.textContent = text;
    root.classList.toggle("away", away);
  }

  // With the arrows from bar to bar: left and right within a row, up and down to the nearest one of another row.
  function walk(event) {
    var from = event.target.closest ? event.target.closest(".lane a, .cell a") : null;
    var step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!from || !step || event.altKey || event.ctrlKey || event.metaKey) return;
    var row = from.closest(".row"), to = null;
    if (step[0]) {
      var bars = Array.prototype.slice.call(row.querySelectorAll(".lane a, .cell a"));
      to = bars[bars.indexOf(from) + step[0]];
    } else {
      var rows = Array.prototype.slice.call(document.querySelectorAll(".row")), left = middle(from);
      for (var at = rows.indexOf(row) + step[1]; rows[at] && !to; at += step[1]) {
        to = Array.prototype.slice.call(rows[at].querySelectorAll(".lane a, .cell a")).sort(function (one, other) {
          return Math.abs(middle(one) - left) - Math.abs(middle(other) - left);
        })[0];
      }
    }
    if (!to) return;
    event.preventDefault();
    to.focus();
    if (to.scrollIntoView) to.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function middle(bar) {
    var box = bar.getBoundingClientRect();
    return box.left + box.width / 2;
  }

  // A cell over several days leads to the day that is pointed at; with the keyboard to the first one.
  function aim(event) {
    var cell = event.target.closest ? event.target.closest(".cell[colspan]") : null, link = cell && cell.querySelector("a");
    if (!link) return;
    var box = cell.getBoundingClientRect(), first = link.dataset.first || /date=([-0-9]+)/.exec(link.href)[1];
    var part = Math.min(Math.max((event.clientX - box.left) / box.width, 0), .999);
    var day = new Date(Date.parse(first) + Math.floor(part * cell.colSpan) * 864e5).toISOString().slice(0, 10);
    link.dataset.first = first;
    link.href = link.href.replace(/date=[-0-9]+/, "date=" + day);
  }

  if (/[?&]fresh=/.test(location.search)) history.replaceState(null, "", address(false));
  if (button) button.addEventListener("click", function (event) { event.preventDefault(); refresh(true); });
  document.addEventListener("keydown", walk);
  document.addEventListener("mousedown", aim);
  document.addEventListener("click", function (event) { if (event.target.closest(".print")) window.print(); });
  window.addEventListener("online", refresh);
  document.addEventListener("visibilitychange", function () { if (!document.hidden) refresh(); });
  setInterval(showAge, 5000);
  showAge();
  if (age && age.dataset.at) timer = setTimeout(refresh, EVERY_MS);
})();
