/* Joins the shell to the bus: one connection a page, shared with every other module through connect(). */
import { connect } from "/static/corehost/corehost.js";
import "./charts.js";
import { showConnection } from "./connection.js";
import { followNavigation } from "./navigation.js";
import { followTheme } from "./theme-choice.js";
import { followReloads } from "./reloads.js";
import { followToasts } from "./toasts.js";

const host = connect();
showConnection(host);
followToasts(host);
followTheme(host);
followNavigation(host);
followReloads(host);
