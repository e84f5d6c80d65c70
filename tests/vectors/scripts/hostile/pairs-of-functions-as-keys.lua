-- expect: fails
for k in pairs({[pcall] = 1}) do end
