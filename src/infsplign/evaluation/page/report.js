"use strict";
(() => {
  const form = document.querySelector(".filters");
  if (!form) return;
  const cards = [...document.querySelectorAll(".card")];
  const count = document.querySelector(".count"), empty = document.querySelector(".empty");
  const names = ["run", "relation", "method", "verdict", "agree"];
  const chosen = () => Object.fromEntries(names.map((name) => [name, new FormData(form).get(name) ?? ""]));

  function fits(card, want) {
    if (want.run && card.dataset.run !== want.run) return false;
    if (want.relation && card.dataset.relation !== want.relation) return false;
    if (want.agree === "differ" && card.dataset.differ !== "1") return false;
    if (!want.verdict && !want.method) return true;
    return [...card.querySelectorAll("figure")].some((shot) =>
      (!want.method || shot.dataset.method === want.method) && (!want.verdict || shot.dataset.verdict === want.verdict));
  }

  function show() {
    const want = chosen();
    let shown = 0;
    for (const card of cards) shown += !(card.hidden = !fits(card, want));
    count.textContent = `${shown} of ${cards.length} shown`;
    empty.hidden = shown > 0;
    const set = names.filter((name) => want[name]).map((name) => `${name}=${encodeURIComponent(want[name])}`);
    history.replaceState(null, "", set.length ? "#" + set.join("&") : location.pathname + location.search);
  }

  function fromHash() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of names) {
      const inputs = [...form.querySelectorAll(`input[name=${name}]`)];
      const match = inputs.find((input) => input.value === (asked.get(name) ?? "")) ?? inputs[0];
      if (match) match.checked = true;
    }
    show();
  }

  form.addEventListener("change", show);
  addEventListener("hashchange", fromHash);
  fromHash();

  const dialog = document.querySelector("dialog");
  document.querySelector(".gallery").addEventListener("click", (event) => {
    if (event.target.tagName !== "IMG") return;
    dialog.querySelector("img").src = event.target.src;
    dialog.querySelector("p").textContent = event.target.alt;
    dialog.showModal();
  });
  dialog.addEventListener("click", () => dialog.close());
})();
