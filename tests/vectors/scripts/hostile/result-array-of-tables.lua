-- expect: fails
return {{}, {}}
