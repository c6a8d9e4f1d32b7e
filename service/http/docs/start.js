"use strict";
// Starts Swagger UI on the document of this very service, wherever it is mounted.

async function start() {
  const here = new URL(".", document.baseURI);
  const answer = await fetch(new URL("openapi.json", here));
  const spec = await answer.json();
  // "Try it out" asks where this page comes from, also below a prefix that only the proxy knows of.
  spec.servers = [{ url: here.href.replace(/\/$/, "") }];
  SwaggerUIBundle({
    spec, dom_id: "#reference", deepLinking: true, defaultModelsExpandDepth: 0, tryItOutEnabled: true,
    validatorUrl: null, // or it would send the document to a server of its makers
  });
}

start().catch((error) => {
  document.getElementById("reference").textContent = `The reference could not be loaded: ${error.message}`;
});
