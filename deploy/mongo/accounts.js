// Makes the account of each service that uses the CSV store, with a role of its own: what roles.json lists, and no more.
// May be run again at will: it sets passwords and rights anew, and touches no data. Run by the image once, on an empty
// volume, or by an operator, with the variables below and roles.json in the same folder:
//
//   mongosh "mongodb://root@HOST/admin" --file accounts.js
//
//   MUSTER_MONGO_..._PASSWORD      one of each account: DBUPLOADER, GATEWAY, NOTIFICATION
//   MUSTER_MONGO_DATABASE          the database, if not muster
//   MUSTER_ACCOUNT_SUFFIX          what their names end with, for a second set of accounts: docs/rotation.md
//   MONGO_INITDB_ROOT_...          the administrator's USERNAME and PASSWORD, if the connection has none
const fs = require("fs");
const path = require("path");

const { MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD } = process.env;
if (MONGO_INITDB_ROOT_PASSWORD) {
  db.getSiblingDB("admin").auth(MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD);
}
const name = process.env.MUSTER_MONGO_DATABASE || "muster";
const store = db.getSiblingDB(name);
const roles = JSON.parse(fs.readFileSync(path.join(__dirname, "roles.json"), "utf8"));
for (const [account, collections] of Object.entries(roles)) {
  const variable = `MUSTER_MONGO_${account.toUpperCase()}_PASSWORD`;
  const pwd = process.env[variable];
  if (!pwd) {
    throw new Error(`${variable} is not set.`);
  }
  const privileges = Object.entries(collections).map(([collection, actions]) => ({
    resource: { db: name, collection },
    actions,
  }));
  if (store.getRole(account)) {
    store.updateRole(account, { privileges, roles: [] });
  } else {
    store.createRole({ role: account, privileges, roles: [] });
  }
  const user = account + (process.env.MUSTER_ACCOUNT_SUFFIX || "");
  if (store.getUser(user)) {
    store.updateUser(user, { pwd, roles: [account] });
  } else {
    store.createUser({ user, pwd, roles: [account] });
  }
}
