/* The form of one plugin: leads to the first field that was refused. */
document.querySelector('[aria-invalid="true"]')?.focus();
