// Keep the bare shell's pages connected, so that a plugin can lead this browser elsewhere.
import { connect } from "./corehost.js";

connect();
