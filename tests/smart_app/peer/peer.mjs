// An authorization server made of oidc-provider, and as much FHIR as a launch reads.
// What it serves is told as JSON in argv[2]: {jwks, redirect_uri, secret}. It prints its port.
import { createServer } from 'node:http';
import { generateKeyPair, exportJWK } from 'jose';
import Provider, { errors } from 'oidc-provider';

const told = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const base = `${issuer}/r4`;

async function signingKeys() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256', kid: 'peer-1' }] };
}

const common = {
  redirect_uris: [told.redirect_uri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};
const keyed = (alg) => ({
  ...common,
  client_id: `keyed-${alg}`,
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: alg,
  jwks: { keys: told.jwks.keys.filter((key) => key.alg === alg) },
});
const clients = [
  { ...common, client_id: 'public', token_endpoint_auth_method: 'none' },
  { ...common, client_id: 'secret', client_secret: told.secret,
    token_endpoint_auth_method: 'client_secret_basic' },
  keyed('RS384'),
  keyed('ES384'),
];

const data = ['Patient.r', 'MedicationRequest.rs', 'Observation.rs'].map((s) => `patient/${s}`);
const provider = new Provider(issuer, {
  clients,
  jwks: await signingKeys(),
  scopes: ['openid', 'online_access', 'launch', ...data],
  claims: { openid: ['sub'], fhirUser: ['fhirUser'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('online_access'),
  enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
  features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, fhirUser: `${base}/Practitioner/7` }),
  }),
  extraParams: {
    aud(ctx, value) {
      if (value !== base) throw new errors.InvalidRequest('aud is not this server');
    },
    launch(ctx, value) {
      if (value !== 'launch-1') throw new errors.InvalidRequest('launch is not known');
    },
  },
  cookies: { keys: ['peer'] },
  ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, RefreshToken: 3600,
    Interaction: 300, Session: 300, Grant: 3600 },
});

// SMART App Launch: the token response says whose chart it is for.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token' && ctx.body?.access_token) ctx.body.patient = 'p-1';
});

async function interaction(request, response) {
  const { params, prompt, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'user-7' } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

function send(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function fhir(request, response, path) {
  if (path === '/.well-known/smart-configuration') {
    return send(response, 200, {
      issuer, jwks_uri: `${issuer}/jwks`, authorization_endpoint: `${issuer}/auth`,
      token_endpoint: '../../token', revocation_endpoint: `${issuer}/token/revocation`,
      code_challenge_methods_supported: ['S256'], scopes_supported: data,
      authorization_response_iss_parameter_supported: true,
      capabilities: ['launch-ehr', 'permission-v2', 'permission-online', 'sso-openid-connect'],
    });
  }
  const token = (request.headers.authorization ?? '').replace('Bearer ', '');
  if (!(await provider.AccessToken.find(token))) return send(response, 401, {});
  return send(response, 200, { resourceType: 'Practitioner', id: '7', name: [{ text: 'Dr. O. Fenwick' }] });
}

const oidc = provider.callback();
server.on('request', (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  if (pathname.startsWith('/r4/')) return fhir(request, response, pathname.slice(3));
  if (pathname.startsWith('/interaction/')) return interaction(request, response);
  return oidc(request, response);
});
console.log(server.address().port);
