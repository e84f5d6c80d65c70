-- expect: fails
return debug.getregistry()
