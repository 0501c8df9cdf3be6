// A SMART app made of npm's fhirclient, the library most SMART apps of the web are built on. It
// listens on the loopback and a free port, prints "READY http://127.0.0.1:PORT", and ends when its
// standard input does. /launch begins a launch as an EHR opens it; /callback ends it and answers,
// as JSON, what the library read with the token it got.
import { createServer } from 'node:http';
import smart from 'fhirclient';

const [clientId, scope] = process.argv.slice(2);

// One browser is played, so one session is enough.
const kept = new Map();
const storage = {
  get: async (key) => kept.get(key),
  set: async (key, value) => (kept.set(key, value), value),
  unset: async (key) => kept.delete(key),
};

async function whatItReads(client) {
  const patient = await client.patient.read();
  const ids = [];
  for await (const page of pages(client, `Observation?patient=${patient.id}&_count=2&_sort=date`)) {
    ids.push(...page.map((resource) => resource.id));
  }
  const orders = await client.request(
    `MedicationRequest?patient=${patient.id}`,
    { flat: true, pageLimit: 0, resolveReferences: ['subject'] },
  );
  return {
    patient: patient.id,
    encounter: client.encounter.id,
    user: client.user.fhirUser,
    observations: ids,
    subjects: [...new Set(orders.map((order) => order.subject.resourceType))],
    another: await statusOf(client.request('Patient/pat-milo-applegarth')),
    unknown: await statusOf(client.request('Patient/nobody')),
    refreshed: await refreshed(client),
  };
}

// Page by page, following the Bundle's own links.
async function* pages(client, first) {
  for (let next = first; next; ) {
    const bundle = await client.request(next);
    yield (bundle.entry ?? []).map((entry) => entry.resource);
    next = bundle.link?.find((link) => link.relation === 'next')?.url;
  }
}

async function statusOf(promise) {
  return promise.then(() => 200, (error) => error.status ?? String(error));
}

async function refreshed(client) {
  if (!client.state.tokenResponse.refresh_token) {
    return null;
  }
  const before = client.state.tokenResponse.access_token;
  await client.refresh();
  await client.patient.read();
  return client.state.tokenResponse.access_token !== before;
}

async function answer(request, response) {
  const api = smart(request, response, storage);
  const { pathname } = new URL(request.url, 'http://127.0.0.1');
  if (pathname === '/launch') {
    await api.authorize({ clientId, scope, redirectUri: '/callback', pkceMode: 'required' });
  } else if (pathname === '/callback') {
    const said = await whatItReads(await api.ready());
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(said));
  } else {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    response.writeHead(500, { 'Content-Type': 'text/plain' });
    response.end(String(error.stack));
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`READY http://127.0.0.1:${server.address().port}`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
