// Run by the image once, on an empty volume: the account of the services.
const { MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD, MUSTER_MONGO_PASSWORD } = process.env;
db.getSiblingDB("admin").auth(MONGO_INITDB_ROOT_USERNAME, MONGO_INITDB_ROOT_PASSWORD);
db.getSiblingDB("muster").createUser({
  user: "muster",
  pwd: MUSTER_MONGO_PASSWORD,
  roles: [{ role: "readWrite", db: "muster" }],
});
