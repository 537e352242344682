/* Passkeys: hands the server's question to the browser, and its answer back in the form. Codes work without this. */
"use strict";
(function () {
  var form = document.querySelector("form[data-passkey]");
  var question = JSON.parse(document.getElementById("passkey-question").textContent).publicKey;
  var note = form.querySelector("[data-passkey-error]");
  var busy = false;

  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (letter) { return letter.charCodeAt(0); });
  }
  function text(buffer) {
    var plain = String.fromCharCode.apply(null, new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function described(list) {
    return (list || []).map(function (one) { return Object.assign({}, one, { id: bytes(one.id) }); });
  }
  function say(words) {
    note.textContent = words;
    note.hidden = !words;
    if (words) { note.setAttribute("role", "alert"); }
  }
  function ask() {
    var options = Object.assign({}, question, { challenge: bytes(question.challenge) });
    if (form.dataset.passkey === "create") {
      options.user = Object.assign({}, question.user, { id: bytes(question.user.id) });
      options.excludeCredentials = described(question.excludeCredentials);
      return navigator.credentials.create({ publicKey: options });
    }
    options.allowCredentials = described(question.allowCredentials);
    return navigator.credentials.get({ publicKey: options });
  }
  function answer(credential) {
    var given = credential.response, response = { clientDataJSON: text(given.clientDataJSON) };
    if (given.attestationObject) { response.attestationObject = text(given.attestationObject); }
    if (given.authenticatorData) { response.authenticatorData = text(given.authenticatorData); }
    if (given.signature) { response.signature = text(given.signature); }
    if (given.userHandle) { response.userHandle = text(given.userHandle); }
    return {
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response,
      clientExtensionResults: credential.getClientExtensionResults(),
      authenticatorAttachment: credential.authenticatorAttachment || undefined
    };
  }
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    if (busy) { return; }
    if (!window.PublicKeyCredential) { say("This browser knows no passkeys. Use a code, or another browser."); return; }
    busy = true;
    say("");
    ask().then(function (credential) {
      form.elements.credential.value = JSON.stringify(answer(credential));
      form.submit();
    }).catch(function (error) {
      busy = false;
      say(error.name === "InvalidStateError" ? "This device has a passkey for you already."
        : "Nothing happened: the browser asked, and got no passkey. Try again.");
    });
  });
})();
