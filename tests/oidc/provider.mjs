// A provider of OpenID Connect (npm oidc-provider) that logs one person in without asking.
// node provider.mjs PORT SITE SECRET: prints "ready" once it listens.
import Provider from "oidc-provider";

const [port, site, secret] = process.argv.slice(2);
const person = { sub: "7", email: "sam@example.com", email_verified: true };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "callrouter", client_secret: secret, redirect_uris: [`${site}/api/oidc/callback`],
    post_logout_redirect_uris: [`${site}/`], response_types: ["code"], grant_types: ["authorization_code"],
  }],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  cookies: { keys: ["for tests"] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => person }),
  features: { devInteractions: { enabled: false } },
  interactions: { url: (ctx, interaction) => `/as-sam/${interaction.uid}` },
  pkce: { required: () => true },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid email");
    await grant.save();
    return grant;
  },
});
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/as-sam/")) return next();
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: person.sub } });
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
