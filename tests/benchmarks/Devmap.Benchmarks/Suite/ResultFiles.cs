// SPDX-License-Identifier: MIT
using System.Text;
using System.Text.Json;

namespace Devmap.Benchmarks.Suite;

/// <summary>The folder of a run's results.</summary>
internal sealed class ResultFiles
{
    private readonly string _folder;

    /// <summary>Makes the folder, and finds out now whether it can be written to.</summary>
    public ResultFiles(string folder)
    {
        _folder = Path.GetFullPath(folder);
        string raw = Path.Combine(_folder, "raw");
        try
        {
            if (Directory.Exists(raw))
                Directory.Delete(raw, recursive: true);
            Directory.CreateDirectory(raw);
            File.Delete(Write("results.json.tmp", string.Empty));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SuiteException($"The results cannot be written to {_folder}: {exception.Message}", exception);
        }
    }

    /// <summary>Where the tools write.</summary>
    public string Raw(string name) => Path.Combine(_folder, "raw", name);

    /// <summary>Writes the results, the plots and the report, and returns the report's path.</summary>
    public async Task<string> WriteAsync(RunResults results, CancellationToken interrupt)
    {
        await Plots.WriteAsync(results, _folder, interrupt).ConfigureAwait(false);
        Replace("results.json", JsonSerializer.Serialize(results, ResultsJson.Default.RunResults) + "\n");
        return Replace("report.md", Report.Write(results, Plots.CanDraw));
    }

    /// <summary>Whoever reads the file meanwhile sees all of the old one or all of the new one.</summary>
    private string Replace(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.Move(Write($"{name}.tmp", text), path, overwrite: true);
        return path;
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        return path;
    }
}
